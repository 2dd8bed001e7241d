public import Architectures
import Foundation
import Foundations
import Kernels
package import Runtime
import TensorTypes

/// Patterns of a text's tokens in one layer, in several codes, read beside the forward pass.
public struct PatternStudy: Sendable {
  /// Where activations are read.
  public let site: SpikingSite
  /// The patterns, code by code.
  public private(set) var memories: [PatternMemory]

  /// Standard deviation of the noise, relative to the root mean square of a token's activations.
  public static let noise = 0.1

  /// The place in layer `layer` with the most neurons that every token passes through: what
  /// down_proj reads, of a layer with experts that of the shared one; without one, what q_proj reads.
  public static func site(ofLayer layer: Int, of model: ModelDescription) -> SpikingSite {
    guard let experts = model.layers[layer].feedForward.experts else {
      return SpikingSite(layer: layer, .ffnDown)
    }
    return experts.shared > 0
      ? SpikingSite(layer: layer, .ffnDown, expert: .shared) : SpikingSite(layer: layer, .query)
  }

  /// Reads `tokens` in segments of `context`, each from an empty state.
  ///
  /// - Parameters:
  ///   - model: makes the model that shows its activations to an observer.
  ///   - progress: called after each segment with the share done.
  package init(
    at site: SpikingSite, codes: [PatternCode], tokens: [Int], context: Int,
    progress: (Double) -> Void = { _ in }, model: (any SpikingObserver) throws -> Model
  ) throws {
    self.site = site
    let reader = Reader(codes: codes, tokens: tokens)
    let observer = SiteObserver(site) { reader.read($0) }
    let model = try model(observer)
    // The sinks' activations come before the text's.
    reader.skipped = model.description.sinkCount
    for start in stride(from: 0, to: tokens.count, by: context) {
      let segment = tokens[start..<min(start + context, tokens.count)]
      var state = DecodingState(for: model.description)
      _ = try model.extend(&state, with: Array(segment))
      progress(Double(segment.endIndex) / Double(tokens.count))
    }
    memories = reader.memories
  }

  /// Turns activations into patterns as they come, so that they need not be kept.
  private final class Reader {
    var memories: [PatternMemory]
    var skipped = 0
    private let tokens: [Int]
    private var position = 0
    private var generator = SplitMix64(seed: 0, label: "noise")

    init(codes: [PatternCode], tokens: [Int]) {
      memories = codes.map(PatternMemory.init)
      self.tokens = tokens
    }

    func read(_ input: FloatMatrix) {
      withExtendedLifetime(input) {
        for row in 0..<input.rows {
          guard skipped == 0 else {
            skipped -= 1
            continue
          }
          let x = UnsafeBufferPointer(input[row]), token = tokens[position]
          disturbed(x).withUnsafeBufferPointer { noisy in
            for index in memories.indices { memories[index].add(token, x, disturbed: noisy) }
          }
          position += 1
        }
      }
    }

    /// The activations with Gaussian noise (Box and Muller).
    private func disturbed(_ x: UnsafeBufferPointer<Float>) -> [Float] {
      let power = x.reduce(0.0) { $0 + Double($1 * $1) } / Double(max(x.count, 1))
      let deviation = PatternStudy.noise * power.squareRoot()
      return x.map { value in
        let radius = (-2 * log(1 - generator.unit())).squareRoot()
        return value + Float(deviation * radius * cos(2 * .pi * generator.unit()))
      }
    }
  }
}
