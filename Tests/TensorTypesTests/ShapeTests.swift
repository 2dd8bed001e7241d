import TensorTypes
import Testing

@Suite struct ShapeTests {
  @Test func shapesCheckOverflowAndBlocks() {
    #expect(Shape([Int.max, 2]).elementCount == nil)
    #expect(Shape([3, 64]).byteCount(.q4_1) == 3 * 2 * 20)
    #expect(Shape([3, 48]).byteCount(.q4_1) == nil)
    #expect(Shape([]).byteCount(.float32) == 4)
  }
}
