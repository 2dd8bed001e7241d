import Architectures
import Checkpoints
import Kernels
import ModelFiles
import Runtime
import TensorTypes

/// Every stored weight is a finite number, every scale more than 0, no INT8 code below -127.
///
/// A matrix of zeros is what a download that was only allocated leaves, unless it is one that starts at
/// zero.
struct ValuesCheck {
  let file: ModelFile

  func run() throws -> CheckResult {
    func failed(_ tensor: StoredTensor, _ what: String) -> CheckResult {
      .failed("values", "\(tensor.name) in \(tensor.file) \(what)")
    }
    var elements = 0
    let reader = file.reader
    let scales = Set(
      file.tensors.filter { $0.key.parameter == .scale }.map(\.value.name))
    let startsAtZero = Set(
      file.description.requirements.filter(\.startsAtZero).compactMap {
        file.tensors[$0.address]?.name
      })
    for tensor in file.stored.tensors where tensor.name.hasSuffix(W8ASpike.scaleSuffix) {
      guard file.form == .w8aspike else { break }
      if let wrong = wrongScale(in: try file.stored.view(tensor.name)) {
        return failed(tensor, wrong)
      }
    }
    for tensor in reader.tensors {
      let codes = WeightCodes(type: tensor.type)
      guard codes != nil || RowDecoder.supports(tensor.type) else { continue }
      let view = try reader.view(tensor.name)
      elements += view.rows * view.columns * (codes?.perElement ?? 1)
      if codes != nil {
        if let wrong = wrongCodes(in: view) { return failed(tensor, wrong) }
        continue
      }
      if tensor.shape.dimensions.count > 1, !startsAtZero.contains(tensor.name), isZero(view) {
        return failed(tensor, "holds nothing but zeros")
      }
      if view.grid != nil, !startsAtZero.contains(tensor.name), isRoundedAway(view) {
        return failed(tensor, "is rounded to zeros by its scales")
      }
      if let found = NotFinite(in: view) {
        return failed(tensor, "holds \(found.value) at \(found.index)")
      }
      if scales.contains(tensor.name), let wrong = wrongScale(in: view) {
        return failed(tensor, wrong)
      }
    }
    return .passed("values", "\(elements) numbers in \(reader.tensors.count) tensors are finite")
  }

  /// Whether every stored byte is zero; stops at the first that is not.
  private func isZero(_ view: TensorView) -> Bool { view.bytes.allSatisfy { $0 == 0 } }

  /// Whether every value is zero after rounding; stops at the first row where one is not.
  private func isRoundedAway(_ view: TensorView) -> Bool {
    (0..<view.rows).allSatisfy { row in
      view.slice(rows: row..<row + 1).floats.allSatisfy { $0 == 0 }
    }
  }

  /// What is wrong with scales, if anything is.
  private func wrongScale(in view: TensorView) -> String? {
    view.floats.first { !($0 > 0 && $0.isFinite) }.map {
      "holds the scale \($0); scales are finite and above 0"
    }
  }

  /// What is wrong with codes, if anything is.
  private func wrongCodes(in view: TensorView) -> String? {
    defer { view.discard() }
    if isZero(view) { return "holds nothing but zeros" }
    // With 4 bits every code is one. Other programs use -128.
    guard view.type == .int8, file.form == .own, let place = view.bytes.firstIndex(of: 0x80) else {
      return nil
    }
    return "holds -128 at [\(place / view.columns), \(place % view.columns)]; codes end at -127"
  }
}
