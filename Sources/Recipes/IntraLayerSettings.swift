/// What `convert --layout intra-layer` may be told beyond the common settings.
public struct IntraLayerSettings: Sendable, Equatable {
  /// Sink tokens before every text; 0 for none. One starts closest to the source.
  public var sinks = 1
  /// The token whose embedding the first sink starts from; nil for the one that begins a text.
  public var sinkToken: Int?
  /// Seeded noise on the sinks' embeddings, relative to their root mean square.
  public var sinkNoise = 0.01
  /// Factors of the linear and of the softmax branch.
  public var branchScale = [0.0, 1.0]
  /// Epsilon of the norms that merge the branches.
  ///
  /// Far above the squares of what it normalises it turns the norm into a mere factor, so that the
  /// softmax branch starts as the source's attention; the model's own epsilon makes it a norm.
  public var branchNormEpsilon = 1_048_576.0

  /// The defaults: as close to the source as the layout allows.
  public init() {}

  /// What the norms' weights start at: the inverse of the factor that a large epsilon makes of
  /// them, else 1.
  public var branchNormWeight: Double { max(1, branchNormEpsilon.squareRoot()) }

  /// Every key with its value, in a fixed order.
  var fields: [(key: String, value: String)] {
    [
      ("sinks", "\(sinks)"), ("sink-token", sinkToken.map { "\($0)" } ?? "auto"),
      ("sink-noise", "\(sinkNoise)"),
      ("branch-scale", branchScale.map { "\($0)" }.joined(separator: ",")),
      ("branch-norm-eps", "\(branchNormEpsilon)"),
    ]
  }

  /// The limits of every value.
  var limits: [(isValid: Bool, key: String, value: String, expected: String)] {
    [
      ((0...65_536).contains(sinks), "sinks", "\(sinks)", "0 to 65536"),
      ((sinkToken ?? 0) >= 0, "sink-token", "\(sinkToken ?? 0)", "a token id"),
      ((0...10).contains(sinkNoise), "sink-noise", "\(sinkNoise)", "0 to 10"),
      (
        branchScale.count == 2 && branchScale.allSatisfy { abs($0) <= 1000 }, "branch-scale",
        branchScale.map { "\($0)" }.joined(separator: ","), "two numbers such as 0,1"
      ),
      (
        branchNormEpsilon > 0 && branchNormEpsilon <= 1e12, "branch-norm-eps",
        "\(branchNormEpsilon)", "more than 0, to 1e12"
      ),
    ]
  }

  /// Parses `auto` (nil) or a token id; nil for anything else.
  public static func sinkToken(parsing text: String) -> Int?? {
    if text == "auto" { return .some(nil) }
    return Int(text).map { .some($0) }
  }

  /// Parses numbers separated by commas; nil for anything else.
  public static func numbers(parsing text: String) -> [Double]? {
    let parts = text.split(separator: ",", omittingEmptySubsequences: false)
    let numbers = parts.compactMap { Double($0.filter { $0 != " " }) }
    return numbers.count == parts.count ? numbers : nil
  }

  init(_ reader: inout RecipeReader) throws(RecipeError) {
    sinks = try reader.value("sinks", default: sinks, expected: "0 to 65536") { Int($0) }
    sinkToken = try reader.value(
      "sink-token", default: sinkToken, expected: "auto or a token id", parse: Self.sinkToken)
    sinkNoise = try reader.value("sink-noise", default: sinkNoise, expected: "0 to 10") {
      Double($0)
    }
    branchScale = try reader.value(
      "branch-scale", default: branchScale, expected: "two numbers such as 0,1",
      parse: Self.numbers)
    branchNormEpsilon = try reader.value(
      "branch-norm-eps", default: branchNormEpsilon, expected: "a positive number"
    ) { Double($0) }
  }
}
