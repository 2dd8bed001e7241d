import Architectures
import Checkpoints
import TensorTypes

extension QuantizedReader {
  /// Whether `reader` holds the scales of the public W8ASpike variant.
  static func isW8ASpike(_ reader: any CheckpointReader) -> Bool {
    reader.tensors.contains { $0.name.hasSuffix(".weight" + W8ASpike.scaleSuffix) }
  }

  /// The W8ASpike variant of `model`.
  init(w8aspike reader: any CheckpointReader, model: ModelDescription, names: NameTable) {
    var shown: [String: Shown] = [:], hidden: Set<String> = []
    var problems: [ModelFile.StructureProblem] = []
    for requirement in model.requirements
    where W8ASpike.roles.contains(requirement.address.role)
      && requirement.address.parameter == .weight
    {
      guard let name = names.name(of: requirement.address) else { continue }
      let scaleName = name + W8ASpike.scaleSuffix
      let rows = requirement.shape.rows, columns = requirement.shape.columns
      let isDivided = columns % W8ASpike.groupSize == 0
      let grouped: Shape = [rows, columns / W8ASpike.groupSize, 1], byRow: Shape = [rows, 1]
      let expected = isDivided ? grouped : byRow
      guard let scales = reader.tensor(named: scaleName) else {
        problems.append(.missing(name: scaleName, shape: expected))
        continue
      }
      hidden.insert(scaleName)
      guard scales.type == .float32 else {
        problems.append(
          .type(name: scaleName, type: scales.type, expected: .float32, file: scales.file))
        continue
      }
      guard scales.shape == expected || scales.shape == byRow else {
        problems.append(
          .shape(name: scaleName, expected: expected, got: scales.shape, file: scales.file))
        continue
      }
      guard W8ASpike.rounds(requirement.address.role),
        reader.tensor(named: name)?.shape == requirement.shape
      else { continue }
      shown[name] = .snapped(
        to: scaleName, groupSize: scales.shape == grouped ? W8ASpike.groupSize : max(columns, 1))
    }
    self.init(reader, form: "W8ASpike", shown: shown, hidden: hidden, problems: problems)
  }

  /// Projections stored as `scheme` says.
  init(
    _ reader: any CheckpointReader, scheme: CompressedTensors, model: ModelDescription,
    names: NameTable
  ) throws(CheckpointError) {
    var shown: [String: Shown] = [:], hidden: Set<String> = []
    var problems: [ModelFile.StructureProblem] = []
    for requirement in model.requirements where requirement.type != nil {
      guard let name = names.name(of: requirement.address) else { continue }
      if requirement.address.parameter == .scale {
        guard let scales = reader.tensor(named: name), scales.shape == requirement.shape,
          [.bfloat16, .float16].contains(scales.type)
        else { continue }
        var wide = scales
        wide.type = .float32
        shown[name] = .widened(as: wide)
      } else if scheme.format == .packed {
        let found = try PackedWeight(named: name, shape: requirement.shape, in: reader)
        problems += found.problems
        hidden.insert(name + CompressedTensors.shapeSuffix)
        if let tensor = found.tensor {
          shown[name] = .unpacked(from: name + CompressedTensors.packedSuffix, as: tensor)
        } else {
          hidden.insert(name + CompressedTensors.packedSuffix)
        }
      }
    }
    self.init(
      reader, form: "compressed-tensors \(scheme.format.rawValue)", shown: shown, hidden: hidden,
      problems: problems)
  }
}

/// The words of a packed weight and the shape that is stored beside them.
private struct PackedWeight {
  /// The weight as int8 codes; nil when something is wrong.
  private(set) var tensor: StoredTensor?
  private(set) var problems: [ModelFile.StructureProblem] = []

  init(named name: String, shape: Shape, in reader: any CheckpointReader) throws(CheckpointError) {
    let packedName = name + CompressedTensors.packedSuffix
    let packedShape: Shape = [shape.rows, (shape.columns + 3) / 4]
    let words = check(packedName, packedShape, .int32, in: reader)
    let shapeName = name + CompressedTensors.shapeSuffix
    if let stored = check(shapeName, [2], .int64, in: reader) {
      let view = try reader.view(shapeName)
      let dimensions = withExtendedLifetime(view) {
        (0..<2).map { view.bytes.loadUnaligned(fromByteOffset: 8 * $0, as: Int64.self) }
      }
      if dimensions != shape.dimensions.map(Int64.init) {
        problems.append(
          .content(
            name: shapeName, reason: "says \(dimensions), the configuration calls for \(shape)",
            file: stored.file))
      }
    }
    if let words, shape.columns % 4 != 0 {
      problems.append(
        .content(
          name: packedName, reason: "holds rows of \(shape.columns), no multiple of 4",
          file: words.file))
    }
    guard problems.isEmpty, var words else { return }
    words.name = name
    words.type = .int8
    words.shape = shape
    tensor = words
  }

  /// The tensor `name`; nil with a problem when it is not what is expected.
  private mutating func check(
    _ name: String, _ shape: Shape, _ type: ScalarType, in reader: any CheckpointReader
  ) -> StoredTensor? {
    guard let tensor = reader.tensor(named: name) else {
      problems.append(.missing(name: name, shape: shape))
      return nil
    }
    if tensor.shape != shape {
      problems.append(.shape(name: name, expected: shape, got: tensor.shape, file: tensor.file))
    } else if tensor.type != type {
      problems.append(.type(name: name, type: tensor.type, expected: type, file: tensor.file))
    } else {
      return tensor
    }
    return nil
  }
}
