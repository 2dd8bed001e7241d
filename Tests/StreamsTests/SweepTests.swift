import Architectures
import Checkpoints
import Communication
import Foundation
import Kernels
import ModelFiles
import Runtime
import TensorTypes
import TestSupport
import Testing

@testable import Streams

/// The engine by itself, with a pass that only counts.
struct SweepTests {
  private let directory: TemporaryDirectory
  private let model: DescribedModel
  private let segments: Segments

  init() throws {
    directory = try TemporaryDirectory()
    try TinyModel.qwen2.synthesize(to: directory("model"))
    let file = try ModelFile.open(directory("model"))
    model = DescribedModel(file.description, weights: file)
    segments = Segments([[1, 2, 3], [4, 5], [6], [7, 8, 9, 10]])
  }

  /// Adds the number of the layer, and one, to the stream; keeps a tensor in odd layers.
  private struct Counting: LayerPass {
    let whole: Track
    let last: Track
    var failing: Int?
    var value = 0.0

    struct Report: LayerReport {
      var layer: Int
      var value: Double
      var seconds = 0.0
    }

    var tracks: [Track] { [whole, last] }

    func pass(_ layer: SweptLayer) throws -> Report {
      let scratch = try layer.scratch("scratch", columns: 2)
      try scratch.write(matrix(1, 2), at: layer.index)
      for track in tracks {
        try layer.advance(track) { hidden, _ in
          for element in hidden.elements.indices {
            hidden.elements[element] += Float(layer.index + 1)
          }
        }
      }
      try layer.progress(0.5, error: value)
      if layer.index == failing { throw Interruption() }
      if layer.index % 2 == 1 {
        var made = LayerTensors()
        made.set(
          TensorAddress(.router, layer: layer.index),
          to: MemoryStorage.view([Float(layer.index)], shape: [1, 1]))
        let kept = try layer.keep(made)
        #expect(kept.views.count == 1)
      }
      return Report(layer: layer.index, value: value)
    }
  }

  private struct Interruption: Error {}

  private var counting: Counting {
    Counting(
      whole: Track("whole", of: model), last: Track("last", of: model, segments: 3..<4))
  }

  private func sweep(_ name: String, ranks: Communicator = .single) throws -> Sweep {
    try? FileManager.default.createDirectory(
      atPath: directory(name), withIntermediateDirectories: true)
    return Sweep(
      of: Segments((0..<4).map { Array(segments[$0]) }, ranks: ranks), layers: 3,
      in: directory(name))
  }

  private func values(_ stream: HiddenStream, _ tokens: Range<Int>) throws -> [Float] {
    let rows = try stream.read(tokens)
    return withExtendedLifetime(rows) { Array(rows.elements) }
  }

  @Test func `streams pass all layers, and what is left is what the last layer gave`() throws {
    let sweep = try sweep("work"), pass = counting
    var totals: [Double] = [], reports: [Int] = []
    let kept = try sweep.run(pass, progress: { totals.append($0.total) }) {
      reports.append($0.layer)
    }
    #expect(reports == [0, 1, 2] && totals == [0.5, 1.5, 2.5].map { $0 / 3 })
    #expect(Set(kept.views.keys) == [TensorAddress(.router, layer: 1)])
    let rows = try EmbeddingRows(model.weights, model: model.description).rows(segments.tokens)
    let expected = withExtendedLifetime(rows) { rows.elements.map { (($0 + 1) + 2) + 3 } }
    let columns = model.description.hiddenSize
    #expect(try values(sweep.stream(pass.whole, entering: 3), 0..<10) == expected)
    // A stream of some segments has room for these only, at the same tokens.
    let last = try sweep.stream(pass.last, entering: 3)
    #expect(try values(last, 6..<10) == Array(expected[(6 * columns)...]))
    #expect(try Data(contentsOf: URL(fileURLWithPath: last.path)).count == 4 * 4 * columns)
    #expect(
      try Set(FileManager.default.contentsOfDirectory(atPath: directory("work"))) == [
        "finished", "last.3", "layer.0.json", "layer.1.json", "layer.1.safetensors",
        "layer.2.json", "streams.3.json", "whole.3",
      ])
  }

  @Test func `a stopped sweep goes on with the layer it was in`() throws {
    let whole = try sweep("whole")
    _ = try whole.run(counting, progress: { _ in }, report: { _ in })
    var failing = counting
    failing.failing = 2
    #expect(throws: Interruption.self) {
      _ = try sweep("stopped").run(failing, progress: { _ in }, report: { _ in })
    }
    let stopped = try sweep("stopped")
    let found: [Counting.Report] = try stopped.finishedReports()
    #expect(found.map(\.layer) == [0, 1])
    var resumed: [Int] = []
    let kept = try stopped.run(counting, progress: { _ in }) { resumed.append($0.layer) }
    #expect(resumed == [2] && kept.views.count == 1)
    #expect(
      try values(stopped.stream(counting.whole, entering: 3), 0..<10)
        == values(whole.stream(counting.whole, entering: 3), 0..<10))
  }

  @Test func `numbers that are not finite are named by their layer`() throws {
    var pass = counting
    pass.value = .nan
    #expect(throws: StreamError.diverged(layer: 0)) {
      _ = try sweep("work").run(pass, progress: { _ in }, report: { _ in })
    }
  }

  @Test func `every rank takes its own segments through, at the places of a single one`() throws {
    let one = try sweep("one"), pass = counting
    _ = try one.run(pass, progress: { _ in }, report: { _ in })
    for result in ThreadRanks.run(
      2,
      { ranks in
        _ = try sweep("two", ranks: ranks).run(pass, progress: { _ in }, report: { _ in })
        return try sweep("two", ranks: ranks).stream(pass.whole, entering: 3).path
      })
    {
      let path = try result.get()
      let stream = try HiddenStream(path: path, columns: model.description.hiddenSize)
      let own = path.contains("rank1") ? [3..<5, 6..<10] : [0..<3, 5..<6]
      for tokens in own {
        #expect(
          try values(stream, tokens) == values(one.stream(pass.whole, entering: 3), tokens))
      }
    }
  }

  @Test func `the last segments are held out`() throws {
    let tokens = [Int](repeating: 0, count: 40 * 8 + 5)
    let forty = try Segments(of: tokens, length: 8)
    #expect(forty.training == 0..<36 && forty.heldOut == 36..<40 && forty.tokens.count == 320)
    #expect(try Segments(of: tokens, limit: 39, length: 8).heldOut == 3..<4)
    #expect(throws: StreamError.tooFewTokens(325, needed: 328)) {
      try Segments(of: tokens, length: 82)
    }
    #expect(segments.range(of: 1) == 3..<5 && Array(segments[2]) == [6] && segments.length == 4)
  }

  @Test func `sinks lie before the first token`() throws {
    let stream = try HiddenStream(path: directory("stream"), columns: 2, first: -2)
    try stream.write(matrix(5, 6), at: 0)
    try stream.write(matrix(1, 2, 3, 4), at: -2)
    #expect(try values(stream, -2..<1) == [1, 2, 3, 4, 5, 6])
    let sinks = try stream.sinks()
    #expect(sinks.rows == 2)
  }

  @Test func `shares follow what the layers take`() {
    let schedule = Schedule(layers: [1, 3], rest: 4)
    #expect(schedule.share(layers: 1.5) == 2.5 / 8 && schedule.share(layers: 7) == 0.5)
    #expect(schedule.share(secondStage: 0.5) == 0.75)
  }
}

/// Rows of two numbers.
private func matrix(_ values: Float...) -> FloatMatrix {
  let matrix = FloatMatrix(rows: values.count / 2, columns: 2)
  for (index, value) in values.enumerated() { matrix.elements[index] = value }
  return matrix
}
