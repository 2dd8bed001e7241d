import Checkpoints
import TensorTypes
import TestSupport
import Testing

@testable import Conversion

/// A transform that a stranger adds, as docs/extending.md shows it.
struct NegatedTransform: TensorTransform {
  let view: TensorView
  let source: String

  var record: TransformRecord { TransformRecord("negated") }
  var sources: [String] { [source] }

  func produce(block: Int, into sink: (UnsafeRawBufferPointer) throws -> Void) throws {
    var numbers = view.bytes.bindMemory(to: Float.self)[...]
    while !numbers.isEmpty {
      let negated = numbers.prefix(max(1, block / 4)).map { -$0 }
      try negated.withUnsafeBytes(sink)
      numbers = numbers.dropFirst(negated.count)
    }
  }
}

struct AddingATransformTests {
  @Test(arguments: [1, 8, 1 << 20])
  func `it makes the same bytes in any block, and is known by its record`(_ block: Int) throws {
    let view = MemoryStorage.view([1, -2, 3, 0.5, 4, -8], shape: [2, 3])
    let transform = NegatedTransform(view: view, source: "a")
    var bytes: [UInt8] = []
    try transform.produce(block: block) { bytes += $0 }
    let numbers = bytes.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
    #expect(numbers == [-1, 2, -3, -0.5, -4, 8])
    #expect(transform.record.text == "negated")
    #expect(TransformRecord(json: transform.record.json) == transform.record)
  }
}
