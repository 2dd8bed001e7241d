import Architectures
import Checkpoints
import Kernels
import ModelFiles
import Runtime
import TensorTypes

/// An export in INT8, read as a loader reads it, has the codes that it was made from; where it was
/// made from floating-point weights, this measures how far from them it is.
struct ExportCheck {
  /// What the check is called.
  static let name = "codes = source"

  let exported: ModelFile
  let source: ModelFile

  /// Scales in 16 bits are off by up to 2^-8 of themselves (bfloat16).
  private static let scaleTolerance: Float = 0x1p-8

  /// What was found; nil when the export holds no codes.
  func run() throws -> CheckResult? {
    var tally = Tally()
    for requirement in exported.description.requirements {
      let address = requirement.address
      guard address.parameter == .weight, let coded = try CodedWeight(exported, address) else {
        continue
      }
      if let original = try CodedWeight(source, address) {
        if let place = tally.compare(coded, with: original) {
          return .failed(Self.name, "\(coded.name) differs at \(place)")
        }
      } else if source.tensors[address] != nil {
        tally.measure(coded, against: try source.view(address))
      }
    }
    guard let found = tally.text else { return nil }
    return tally.scaleError <= Self.scaleTolerance
      ? .passed(Self.name, found) : .failed(Self.name, found)
  }
}

/// What comparing projections has found so far.
private struct Tally {
  private var equal = 0, rounded = 0
  /// Sums of squares: of the errors and of the weights.
  private var error = 0.0, power = 0.0
  /// The largest relative difference of two scales.
  private(set) var scaleError: Float = 0

  /// Compares the codes and scales of two forms of a projection; returns where codes differ first.
  mutating func compare(_ coded: CodedWeight, with original: CodedWeight) -> String? {
    for row in 0..<coded.rows {
      let (left, right) = (coded.row(row), original.row(row))
      if left.codes != right.codes {
        let column = zip(left.codes, right.codes).enumerated().first { $1.0 != $1.1 }?.offset
        return "[\(row), \(column ?? 0)]"
      }
      for (mine, theirs) in zip(left.scales, right.scales) {
        scaleError = max(scaleError, (mine - theirs).magnitude / theirs)
      }
    }
    equal += 1
    return nil
  }

  /// Adds the errors of a projection that was rounded from `weight`.
  mutating func measure(_ coded: CodedWeight, against weight: TensorView) {
    for row in 0..<coded.rows {
      let (mine, theirs) = (coded.row(row), weight.floats(ofRow: row))
      for column in theirs.indices {
        let value = Float(mine.codes[column]) * mine.scales[column]
        error += Double((value - theirs[column]) * (value - theirs[column]))
        power += Double(theirs[column] * theirs[column])
      }
    }
    rounded += 1
  }

  /// What was found in words; nil for nothing.
  var text: String? {
    var found: [String] = []
    if equal > 0 {
      found.append(
        "\(equal) projections have the codes of the source, scales to "
          + scientific(Double(scaleError)))
    }
    if rounded > 0 {
      let relative = power > 0 ? (error / power).squareRoot() : 0
      found.append(
        "\(rounded) projections were rounded by the export, relative error of the weights "
          + scientific(relative))
    }
    return found.isEmpty ? nil : found.joined(separator: "; ")
  }
}

/// A projection as integers and their scales, in whatever form a checkpoint holds it.
private struct CodedWeight {
  let name: String
  private let weight: TensorView
  private let scales: TensorView

  /// The projection at `address`; nil when it is stored in floating point.
  init?(_ file: ModelFile, _ address: TensorAddress) throws {
    guard let name = file.tensors[address]?.name else { return nil }
    self.name = name
    if file.form == .w8aspike, W8ASpike.roles.contains(address.role) {
      weight = try file.stored.view(name)
      scales = try file.stored.view(name + W8ASpike.scaleSuffix)
    } else if file.description.quantization(of: address) != nil {
      var scale = address
      scale.parameter = .scale
      weight = try file.view(address)
      scales = try file.view(scale)
    } else {
      return nil
    }
  }

  var rows: Int { weight.rows }

  /// Inputs.
  private var columns: Int {
    weight.columns * (WeightCodes(type: weight.type)?.perElement ?? 1)
  }

  /// The codes of a row, and the scale of each.
  func row(_ row: Int) -> (codes: [Int32], scales: [Float]) {
    let each = scales.rows * scales.columns / max(rows, 1)
    let floats = scales.floats(from: row * each, count: each)
    let size = (columns + each - 1) / max(each, 1)
    let spread = (0..<columns).map { floats[$0 / size] }
    guard let codes = WeightCodes(type: weight.type) else {
      return (zip(weight.floats(ofRow: row), spread).map(Self.code), spread)
    }
    return (codes.unpacked(weight.row(row)).map(Int32.init), spread)
  }

  /// round(w / scale), never clamped; -2^31 when that is no integer of 32 bits.
  private static func code(_ value: Float, _ scale: Float) -> Int32 {
    Int32(exactly: (value / scale).rounded(.toNearestOrEven)) ?? .min
  }
}

extension TensorView {
  /// The values of one row.
  fileprivate func floats(ofRow row: Int) -> [Float] {
    var values = [Float](repeating: 0, count: columns)
    RowDecoder.decode(self, rows: row..<row + 1, into: &values)
    return values
  }

  /// `count` float32 elements from `start` on.
  fileprivate func floats(from start: Int, count: Int) -> [Float] {
    (start..<start + count).map { bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
  }
}
