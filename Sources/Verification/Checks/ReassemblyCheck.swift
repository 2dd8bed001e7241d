import Architectures
import Checkpoints
import Conversion
import Exports
import Foundation
import Foundations
import ModelFiles
import TensorTypes

/// The files of all ranks put together are the model: every rank that holds a part again holds the
/// same bytes, and, with the source at hand, every tensor has the source's bytes.
///
/// That every key is there once and no other is a matter of structure, which was checked before.
struct ReassemblyCheck {
  /// What the check is called.
  static let name = "ranks together = one model"

  let file: ModelFile
  let source: ModelFile?

  func run() throws -> CheckResult {
    var repeated = 0
    for group in file.replicas {
      let first = try file.stored.view(group[0])
      defer { first.discard() }
      for name in group.dropFirst() {
        let other = try file.stored.view(name)
        defer { other.discard() }
        if !first.hasBytes(of: other) {
          return .failed(Self.name, "\(name) differs from \(group[0]), which should be the same")
        }
        repeated += 1
      }
    }
    guard let source else {
      return .passed(Self.name, "\(counted(repeated, "repeated part")) equal")
    }
    var equal = 0
    for requirement in file.description.requirements {
      let address = requirement.address
      guard let stored = file.tensors[address] else { continue }
      if let place = try difference(requirement, as: stored.type, from: source) {
        return .failed(
          Self.name, "\(stored.name) differs from the source at byte \(place) when put together")
      }
      equal += 1
    }
    return .passed(
      Self.name,
      "\(counted(repeated, "repeated part")) equal, \(counted(equal, "tensor")) put together byte "
        + "for byte")
  }

  /// The first byte where a tensor put together differs from the source's, cast to the type it was
  /// written in.
  private func difference(
    _ requirement: ModelDescription.Requirement, as type: ScalarType, from source: ModelFile
  ) throws -> Int? {
    let parts = try file.rows(
      0..<(requirement.shape.dimensions.first ?? 1), of: requirement.address)
    var part = 0, offset = 0, position = 0
    var found: Int?
    try source.copying(requirement.address, as: type).produce(block: ProvenanceCheck.block) {
      bytes in
      var rest = bytes
      while !rest.isEmpty, found == nil {
        while part < parts.count, offset == parts[part].bytes.count {
          parts[part].discard()
          (part, offset) = (part + 1, 0)
        }
        guard part < parts.count else { return found = position }
        let count = min(rest.count, parts[part].bytes.count - offset)
        let mine = UnsafeRawBufferPointer(rebasing: parts[part].bytes[offset..<offset + count])
        let theirs = UnsafeRawBufferPointer(rebasing: rest[..<count])
        if !mine.elementsEqualBytes(theirs) {
          found = position + (zip(mine, theirs).enumerated().first { $1.0 != $1.1 }?.offset ?? 0)
        }
        offset += count
        position += count
        rest = UnsafeRawBufferPointer(rebasing: rest[count...])
      }
    }
    let whole = parts.reduce(0) { $0 + $1.bytes.count }
    return found ?? (position == whole ? nil : position)
  }
}

extension TensorView {
  /// Whether the stored bytes are those of `other`.
  fileprivate func hasBytes(of other: TensorView) -> Bool {
    bytes.elementsEqualBytes(other.bytes)
  }
}

extension UnsafeRawBufferPointer {
  /// Whether both have the same bytes.
  fileprivate func elementsEqualBytes(_ other: UnsafeRawBufferPointer) -> Bool {
    guard count == other.count, let left = baseAddress, let right = other.baseAddress else {
      return count == other.count
    }
    return memcmp(left, right, count) == 0
  }
}
