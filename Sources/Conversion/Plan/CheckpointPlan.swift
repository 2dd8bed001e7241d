public import Architectures
import Foundation
public import Foundations
public import StrictJSON
public import TensorTypes

/// A checkpoint that is fully decided and not yet written: what `--dry-run` prints.
public struct CheckpointPlan: Sendable {
  /// The model that will be written.
  public var description: ModelDescription
  /// Its config.json.
  public var configuration: JSONObject
  /// Its tensors in file order.
  public var tensors: [PlannedTensor]
  /// Tokenizer and generation files to write beside the tensors.
  public var companions: [CompanionFile]
  /// Most bytes of tensors in one file.
  public var shardSize: ByteSize
  /// What was asked for, as the manifest records it.
  public var recipe: JSONObject
  /// What it is made from, as the manifest records it.
  public var source: JSONObject
  /// What a user should know about the result.
  public var notes: [String]
  /// What was measured of the result before it is written, as the manifest records it; it does
  /// not decide a byte of the tensors.
  public var measurements = JSONObject()
  /// The format of the files that hold tensors.
  public var format: any TensorFiles.Type = SafetensorsFiles.self
  /// What files of that format say of the model beside its tensors.
  public var metadata = JSONObject()

  /// A plan of safetensors files.
  package init(
    description: ModelDescription, configuration: JSONObject, tensors: [PlannedTensor],
    companions: [CompanionFile], shardSize: ByteSize, recipe: JSONObject, source: JSONObject,
    notes: [String]
  ) {
    self.description = description
    self.configuration = configuration
    self.tensors = tensors
    self.companions = companions
    self.shardSize = shardSize
    self.recipe = recipe
    self.source = source
    self.notes = notes
  }

  /// A tensor to be written.
  public struct PlannedTensor: Sendable {
    /// What it is in the model; nil for what is no whole tensor of it: parts, and sizes that other
    /// programs store as tensors.
    public var address: TensorAddress?
    /// Its name in the file.
    public var name: String
    /// Its shape.
    public var shape: Shape
    /// Its element type.
    public var type: ScalarType
    /// How its bytes are made.
    public var transform: any TensorTransform

    /// The bytes it takes.
    public var byteCount: Int { shape.byteCount(type) ?? 0 }

    /// A tensor made by `transform`.
    public init(
      _ address: TensorAddress?, name: String, shape: Shape, type: ScalarType,
      transform: any TensorTransform
    ) {
      self.address = address
      self.name = name
      self.shape = shape
      self.type = type
      self.transform = transform
    }
  }

  /// A small file written as it is.
  public struct CompanionFile: Sendable {
    /// Its name in the output.
    public var name: String
    /// Where its bytes come from.
    public var content: Content

    /// The bytes of a companion file.
    public enum Content: Sendable {
      /// Those of another file.
      case copy(of: String)
      /// Those of a text.
      case text(String)
      /// Those given.
      case bytes([UInt8])
    }

    /// A file called `name`.
    public init(name: String, content: Content) {
      self.name = name
      self.content = content
    }

    /// Its bytes; throws when the file that they come from cannot be read.
    public var bytes: [UInt8] {
      get throws {
        switch content {
        case .text(let text): return Array(text.utf8)
        case .bytes(let bytes): return bytes
        case .copy(let path):
          // Read again: it must be the file that was looked at when the plan was made.
          guard let data = FileManager.default.contents(atPath: path) else {
            throw ConversionError.unreadable(path: path)
          }
          return Array(data)
        }
      }
    }
  }

  /// Bytes of all tensors.
  public var byteCount: Int { tensors.reduce(0) { $0 + $1.byteCount } }
}

extension [CheckpointPlan.PlannedTensor] {
  /// Those that are tensors of the model, by what they are.
  var byAddress: [TensorAddress: CheckpointPlan.PlannedTensor] {
    reduce(into: [:]) { found, tensor in
      if let address = tensor.address { found[address] = tensor }
    }
  }
}
