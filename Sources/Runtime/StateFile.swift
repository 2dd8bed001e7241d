public import Architectures
import Foundations
import Kernels
public import TensorTypes

/// What a file with a decoding state holds: one f32 tensor per layer, and what it belongs to.
///
/// Tensors: `state.N`, flat, and `last`, the final hidden state of the last token. Metadata: `version` 3;
/// `position`, the tokens read; `model` and `weights`, hashes of the description
/// (`ModelDescription.key`) and of the weights that read them, so that a state is never continued with
/// others; `state`, the hash of all that, so that a file that was changed or cut short is not taken for
/// one. Version 2, which is read, had no `last`: it cannot be continued without a prompt. Version 1 had
/// no number, and knew the model by a hash that changed with the program.
///
/// Which file format that is, and where the weights come from, is the caller's affair.
public struct StateFile {
  /// The text that goes with the tensors.
  public let metadata: [String: String]
  /// The numbers of each layer, tensor `state.N` of layer N.
  public let layers: [[Float]]
  /// Tensor `last`: the final hidden state of the last token [H].
  public let last: [Float]

  /// What a state belongs to.
  public struct Owner: Sendable {
    let description: ModelDescription
    let weights: String
    let hash: Hash

    /// A model with these weights, known by a hash of them.
    public init(_ description: ModelDescription, weights: String, hash: @escaping Hash) {
      self.description = description
      self.weights = weights
      self.hash = hash
    }

    /// A cryptographic hash, as text, of all bytes that its argument hands out.
    public typealias Hash =
      @Sendable (_ feed: (_ update: (UnsafeRawBufferPointer) -> Void) -> Void) -> String

    /// Whether a file with this metadata holds a state of it.
    public func owns(_ metadata: [String: String]) -> Bool {
      identity.allSatisfy { metadata[$0.key] == $0.value }
    }

    fileprivate var identity: [String: String] {
      let model = hash { update in Array(description.key.utf8).withUnsafeBytes(update) }
      return ["version": "3", "model": model, "weights": weights]
    }
  }

  /// What is written for `state`.
  public init(_ state: DecodingState, of owner: Owner) {
    layers = state.saved
    last = state.last
    var metadata = owner.identity
    metadata["position"] = "\(state.position)"
    metadata["state"] = Self.hash(of: layers + [last], metadata, by: owner)
    self.metadata = metadata
  }

  /// The state in a file at `path` with this metadata and these tensors, by name.
  public static func state(
    in path: String, metadata: [String: String], tensors: [String: TensorView], for owner: Owner
  ) throws -> DecodingState {
    func misfit(_ reason: String) -> RuntimeError { .stateDoesNotFit(file: path, reason: reason) }
    guard let text = metadata["position"] else { throw misfit("it holds no position") }
    guard let position = Int(text), (0...DecodingState.mostTokens).contains(position) else {
      throw misfit("its position is \(text), expected 0 to \(DecodingState.mostTokens)")
    }
    let identity = owner.identity
    let hasLast = metadata["version"] == identity["version"]
    guard hasLast || metadata["version"] == "2" else {
      throw misfit("it was saved by another version of the program")
    }
    for (key, name) in [("model", "another model"), ("weights", "other weights")]
    where metadata[key] != identity[key] {
      throw misfit("it was saved by \(name)")
    }
    let counts = DecodingState.savedCounts(of: owner.description, position: position)
    let expected = counts.count + (hasLast ? 1 : 0)
    guard tensors.count == expected else {
      throw misfit("it holds \(counted(tensors.count, "tensor")), expected \(expected)")
    }
    func numbers(_ name: String, of what: String, count: Int) throws -> [Float] {
      guard let view = tensors[name] else { throw misfit("\(what) is missing") }
      guard view.type == .float32, view.shape == [count] else {
        throw misfit(
          "\(what) is \(view.type.rawValue) \(view.shape), expected float32 [\(count)] "
            + "after \(counted(position, "token"))")
      }
      if let found = NotFinite(in: view) {
        throw misfit("\(what) holds \(found.value) at \(found.column)")
      }
      return (0..<count).map { view.bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
    }
    let layers = try counts.enumerated().map { layer, count in
      try numbers("state.\(layer)", of: "layer \(layer)", count: count)
    }
    let width = position > 0 ? owner.description.hiddenSize : 0
    let last = hasLast ? try numbers("last", of: "last", count: width) : []
    guard hash(of: hasLast ? layers + [last] : layers, metadata, by: owner) == metadata["state"],
      let state = DecodingState(
        for: owner.description, saved: layers, last: last, position: position)
    else { throw misfit("it is not as it was saved") }
    return state
  }

  /// The hash of a state with what it belongs to.
  private static func hash(
    of layers: [[Float]], _ metadata: [String: String], by owner: Owner
  ) -> String {
    let text = ["position", "model", "weights"].map { metadata[$0] ?? "" }.joined(separator: " ")
    return owner.hash { update in
      Array(text.utf8).withUnsafeBytes(update)
      for layer in layers { layer.withUnsafeBytes(update) }
    }
  }
}
