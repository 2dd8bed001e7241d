import Testing

@testable import StepSettings

/// Which layers a text names.
struct LayerSelectionTests {
  @Test(arguments: [
    ("odd", LayerSelection.odd), ("ODD", .odd), ("none", .list([])), ("", .list([])),
    ("0", .list([0])), ("1,3,5", .list([1, 3, 5])), ("1, 3 ,5", .list([1, 3, 5])),
    ("1,3,8-11", .list([1, 3, 8, 9, 10, 11])), ("4-4", .list([4])),
    ("auto:22", .auto(22)), ("Auto:0", .auto(0)),
  ])
  func `is parsed`(_ text: String, _ expected: LayerSelection) {
    #expect(LayerSelection(parsing: text) == expected)
  }

  @Test(arguments: [
    "even", "1,,2", ",", "-1", "3-1", "1-2-3", "a-b", "1-", "1;2", "1.5", "0x1", "1-99999999",
    "auto", "auto:", "auto:-1", "auto:x", "auto:1,2",
  ])
  func `is refused`(_ text: String) {
    #expect(LayerSelection(parsing: text) == nil)
  }

  @Test func `odd depends on the depth`() {
    #expect(LayerSelection.odd.resolved(depth: 1) == .success([]))
    #expect(LayerSelection.odd.resolved(depth: 5) == .success([1, 3]))
    #expect(LayerSelection.odd.resolved(depth: 6) == .success([1, 3, 5]))
  }

  @Test func `a list is sorted and each layer counts once`() {
    #expect(LayerSelection.list([4, 0, 4]).resolved(depth: 5) == .success([0, 4]))
    #expect(LayerSelection.list([]).resolved(depth: 5) == .success([]))
  }

  @Test func `a layer beyond the model is named`() {
    #expect(
      LayerSelection.list([0, 5, 9]).resolved(depth: 5) == .failure(.outOfRange(layer: 5, depth: 5))
    )
  }

  @Test func `a number of layers names none before a measurement`() {
    #expect(LayerSelection.auto(2).resolved(depth: 5) == .failure(.notMeasured(count: 2)))
    #expect(LayerSelection.auto(2).isAuto && !LayerSelection.odd.isAuto)
  }

  @Test(arguments: [LayerSelection.odd, .list([]), .list([0]), .list([2, 7, 9]), .auto(3)])
  func `prints what it parses`(_ selection: LayerSelection) {
    #expect(LayerSelection(parsing: "\(selection)") == selection)
  }
}
