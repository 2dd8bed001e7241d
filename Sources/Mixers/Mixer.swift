import TensorTypes

/// How a layer mixes tokens: one of the forms that `all` lists, or another that conforms to `MixerForm`.
///
/// A mixer is a folder: its form (names, tensors, what it remembers), its layer (the form with weights,
/// which runs), and its training. Everything else, from configurations and tensor names to saved states,
/// spiking sites and healing, asks the form.
public struct Mixer: Sendable, Hashable {
  /// What it is.
  public let form: any MixerForm

  /// The mixer of a form.
  public init(_ form: some MixerForm) { self.form = form }

  /// The forms that configurations can name.
  static let all: [any MixerForm.Type] = [
    SoftmaxAttention.self, GatedLinear.self, ParallelBranches.self,
  ]

  /// The names that configurations can use, in the order of `all`.
  public static var kinds: [String] { all.flatMap { $0.kinds } }

  /// The tensors that any mixer of `all` may have besides its projections.
  public static var names: [MixerTensor.Name] { all.flatMap { $0.names } }

  /// The keys of sizes that any mixer of `all` may have in a configuration.
  public static var sizeKeys: [String] { all.flatMap { $0.sizeKeys } }

  /// The mixer that a configuration calls `kind`; nil for a name that is none of `kinds`.
  public init?<Failure>(
    kind: String, from parameters: some MixerParameters<Failure>
  ) throws(Failure) {
    for form in Mixer.all where form.kinds.contains(kind) {
      self = try form.mixer(kind: kind, from: parameters)
      return
    }
    return nil
  }

  public static func == (left: Mixer, right: Mixer) -> Bool {
    AnyHashable(left.form) == AnyHashable(right.form)
  }

  public func hash(into hasher: inout Hasher) { form.hash(into: &hasher) }
}

extension Mixer {
  /// Its name among `kinds`, as configurations and tables print it.
  public var kind: String { form.kind }

  /// What decides the numbers it computes, as text; it goes into the keys of saved states.
  public var key: String { form.key }

  /// Whether softmax attention takes part: keys and values are remembered, queries are rotated.
  public var isSoftmax: Bool { form.hasCache }

  /// Whether linear attention takes part: something of a fixed size is remembered.
  public var isLinear: Bool { form.hasMemory }

  /// Whether linear and softmax attention run side by side.
  public var isHybrid: Bool { isSoftmax && isLinear }

  /// Whether linear attention is all there is: no token is remembered by itself.
  public var isOnlyLinear: Bool { isLinear && !isSoftmax }

  /// The window of the softmax attention; nil when there is none.
  public var window: Window? { form.window }

  /// The same with another window, where it has one.
  public func with(_ window: Window) -> Mixer { form.with(window) }

  /// The kind with its size, for people: `window 4096`.
  public var text: String {
    guard let window else { return kind }
    return "\(kind) \(window.size)" + (window.rule == .flash ? " (flash rule)" : "")
  }

  /// The span of a sliding window.
  public struct Window: Sendable, Hashable {
    /// The configured window W.
    public var size: Int
    /// Whether the current token counts among the W.
    public var rule: WindowRule

    /// A window of `size` tokens under `rule`.
    public init(size: Int, rule: WindowRule = .report) {
      self.size = size
      self.rule = rule
    }

    /// Keys a token sees, itself included.
    public var keys: Int { rule == .report ? size : size + 1 }
  }

  /// Two readings of "window W": the report's equation 2 counts the current token, the public
  /// flash-attention path passes `window_size=(W, 0)` and sees one key more.
  public enum WindowRule: String, Sendable, CaseIterable {
    case report, flash
  }
}
