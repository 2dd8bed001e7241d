public import StrictJSON

/// How far an upcycled model is from the dense one it was made from, as manifests record it.
public struct DenseDistance: Sendable, Decodable {
  /// Tokens of the probe.
  public var tokens: Int
  /// The largest difference of logits relative to the largest logit, and the root mean square of all
  /// relative to that of the logits.
  public var largest: Double
  public var rootMeanSquare: Double
  /// The largest that is the router's doing.
  public var byRouter: Double
  /// The least and most tokens that an expert was sent; nil without experts.
  public var load: [Int]?

  private enum CodingKeys: String, CodingKey {
    case tokens = "probe_tokens"
    case largest = "largest_relative_logit_error"
    case rootMeanSquare = "rms_relative_logit_error"
    case byRouter = "largest_by_router"
    case load = "tokens_per_expert"
  }

  /// A measured distance, of which the router causes `byRouter`.
  public init(_ distance: LogitDistance, byRouter: Double) {
    (tokens, largest) = (distance.tokens, distance.relative)
    (rootMeanSquare, self.byRouter) = (distance.rootMeanSquare, byRouter)
    load = distance.load.map { [$0.lowerBound, $0.upperBound] }
  }

  /// The record: two significant digits, as more would be noise.
  public var json: JSONObject {
    func member(_ key: CodingKeys, _ value: JSONValue) -> (String, JSONValue) {
      (key.rawValue, value)
    }
    var object = JSONObject([
      member(.tokens, .int(tokens)), member(.largest, .number(scientific(largest))),
      member(.rootMeanSquare, .number(scientific(rootMeanSquare))),
      member(.byRouter, .number(scientific(byRouter))),
    ])
    object[CodingKeys.load.rawValue] = load.map { .ints($0) }
    return object
  }
}
