import Foundations
import Testing

@Suite struct NearestNameTests {
  @Test func nearestNameIsFound() {
    #expect(
      NearestName.of("atention_layers", among: ["window", "attention_layers"]) == "attention_layers"
    )
    #expect(NearestName.of("zzz", among: ["window"]) == nil)
  }
}
