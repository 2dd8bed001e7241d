import CKernels
import Foundation

/// Cosines and sines of a run of positions, shared by all layers and heads.
public struct RotaryTable: Sendable {
  /// The first position.
  public let first: Int
  /// Positions covered.
  public let count: Int
  /// Channels per head that turn.
  public let dimension: Int
  /// Channels per head in memory.
  public let headDimension: Int
  /// [count, d/2] each.
  private let cosines: [Float], sines: [Float]

  /// The angle is the float32 product of position and frequency, as transformers computes it;
  /// its cosine and sine are exact to float32 rounding, then multiplied by the embedding's magnitude.
  init(_ embedding: RotaryEmbedding, first: Int, count: Int) {
    self.first = first
    self.count = count
    dimension = embedding.dimension
    headDimension = embedding.headDimension
    let half = dimension / 2
    var cosines = [Float](repeating: 0, count: count * half), sines = cosines
    for t in 0..<count {
      let position = Float(first + t)
      for i in 0..<half {
        let angle = Double(embedding.inverseFrequencies[i] * position)
        cosines[t * half + i] = Float(cos(angle)) * embedding.magnitude
        sines[t * half + i] = Float(sin(angle)) * embedding.magnitude
      }
    }
    self.cosines = cosines
    self.sines = sines
  }

  /// Rotates x [segments · tokens, heads · d] in place, the first token of every segment at position
  /// `first`; with `inverse` by minus the angles, which takes the gradient of the result to that of x.
  public func apply(to x: FloatMatrix, segments: Int = 1, inverse: Bool = false) {
    precondition(x.columns % headDimension == 0 && x.rows % segments == 0)
    let tokens = x.rows / segments, heads = x.columns / headDimension
    withExtendedLifetime(x) {
      for segment in 0..<segments {
        let rows = x.row(segment * tokens)
        if inverse {
          backward(rows, tokens: tokens, heads: heads)
        } else {
          apply(to: rows, tokens: tokens, heads: heads)
        }
      }
    }
  }

  /// Rotates x [tokens, heads, d] in place; token t is at position `first + offset + t`.
  func apply(
    to x: UnsafeMutablePointer<Float>, tokens: Int, heads: Int, offset: Int = 0
  ) {
    let isa = Execution.isa
    forEachHead(of: x, tokens: tokens, heads: heads, offset: offset) { head, cosines, sines in
      ck_rotate_half(isa, head, cosines, sines, dimension / 2)
    }
  }

  /// The gradient of `apply`: rotates by minus the angle, in place, the gradient of its result
  /// [tokens, heads, d].
  func backward(
    _ gradient: UnsafeMutablePointer<Float>, tokens: Int, heads: Int, offset: Int = 0
  ) {
    let isa = Execution.isa
    forEachHead(of: gradient, tokens: tokens, heads: heads, offset: offset) {
      head, cosines, sines in
      ck_rotate_half_back(isa, head, cosines, sines, dimension / 2)
    }
  }

  private func forEachHead(
    of x: UnsafeMutablePointer<Float>, tokens: Int, heads: Int, offset: Int,
    _ body: (
      _ head: UnsafeMutablePointer<Float>, _ cosines: UnsafePointer<Float>,
      _ sines: UnsafePointer<Float>
    ) -> Void
  ) {
    precondition(offset >= 0 && offset + tokens <= count)
    let half = dimension / 2
    cosines.withUnsafeBufferPointer { cosines in
      sines.withUnsafeBufferPointer { sines in
        guard let cosines = cosines.baseAddress, let sines = sines.baseAddress else { return }
        for t in 0..<tokens {
          let row = (offset + t) * half
          for h in 0..<heads {
            body(x + (t * heads + h) * headDimension, cosines + row, sines + row)
          }
        }
      }
    }
  }

  /// The specification of `apply` and, with `inverse`, of `backward`.
  func reference(
    to x: UnsafeMutablePointer<Float>, tokens: Int, heads: Int, offset: Int = 0,
    inverse: Bool = false
  ) {
    let half = dimension / 2
    for t in 0..<tokens {
      for h in 0..<heads {
        let head = x + (t * heads + h) * headDimension
        for i in 0..<half {
          let c = cosines[(offset + t) * half + i]
          let s = sines[(offset + t) * half + i] * (inverse ? -1 : 1)
          let a = head[i], b = head[i + half]
          head[i] = a * c - b * s
          head[i + half] = b * c + a * s
        }
      }
    }
  }
}
