import Communication
import Foundations
import TestSupport
import Testing

struct CommunicatorTests {
  private struct Fault: ReportableError {
    var what: String
    var location: String? { "file" }
    var exitCode: Int32 { 7 }
  }

  @Test(arguments: [1, 2, 5]) func `sums are of all ranks and the same on each`(_ count: Int) throws
  {
    let sums = try ThreadRanks.run(count) { ranks in
      var values = [Double(ranks.rank), 1]
      try ranks.sum(&values)
      var floats: [Float] = [0.5]
      try floats.withUnsafeMutableBufferPointer { try ranks.sum($0) }
      return values + [Double(floats[0])]
    }.map { try $0.get() }
    let expected = [Double(count * (count - 1) / 2), Double(count), 0.5 * Double(count)]
    #expect(sums == Array(repeating: expected, count: count))
  }

  @Test func `what the first rank finds is known to all`() throws {
    let found = try ThreadRanks.run(3) { ranks in
      let text = try ranks.first {
        ["rank \(ranks.rank)", "long " + String(repeating: "x", count: 5000)]
      }
      let absent: Int? = try ranks.first { nil }
      #expect(absent == nil)
      var floats: [Float] = [Float(ranks.rank), 3]
      try floats.withUnsafeMutableBufferPointer { try ranks.broadcast($0) }
      #expect(floats == [0, 3])
      return text
    }.map { try $0.get() }
    #expect(Set(found.map { $0[0] }) == ["rank 0"] && found.allSatisfy { $0[1].count == 5005 })
  }

  @Test func `values are collected in the order of ranks`() throws {
    let found = try ThreadRanks.run(3) { ranks in
      (
        try ranks.all("r\(ranks.rank)"),
        try ranks.joined([Float](repeating: Float(ranks.rank), count: ranks.rank))
      )
    }.map { try $0.get() }
    for (texts, numbers) in found {
      #expect(texts == ["r0", "r1", "r2"])
      #expect(numbers == [1, 2, 2])
    }
  }

  @Test func `a rank's failure is thrown by all, wherever they are`() throws {
    let results = ThreadRanks.run(4) { ranks in
      try ranks.together {
        if ranks.rank == 2 { throw Fault(what: "no such thing") }
        // The others are further on, at different places.
        if ranks.rank == 3 { return }
        var values = [1.0]
        try ranks.sum(&values)
      }
    }
    let failures = results.map { result -> RunFailure? in
      if case .failure(let failure as RunFailure) = result { failure } else { nil }
    }
    let failure = try #require(failures[0])
    #expect(failures == Array(repeating: failure, count: 4))
    #expect(failure.rank == 2 && failure.exitCode == 7 && failure.location == "file")
    #expect(failure.what.hasPrefix("no such thing (rank 2 of 4, on "))
  }

  @Test func `where all fail alike the first one's words are taken as they are`() throws {
    let results = ThreadRanks.run(3) { ranks in
      try ranks.together { throw Fault(what: "rank \(ranks.rank) failed") }
    }
    for case .failure(let failure as RunFailure) in results {
      #expect(failure.what == "rank 0 failed" && failure.rank == 0)
    }
    #expect(results.count == 3)
  }

  @Test func `a failure passes through nested parts once`() throws {
    let results = ThreadRanks.run(2) { ranks in
      try ranks.together {
        try ranks.together { if ranks.rank == 1 { throw Fault(what: "inner") } }
        Issue.record("went on after a failure")
      }
    }
    #expect(
      results.allSatisfy { if case .failure(let error) = $0 { error is RunFailure } else { false } }
    )
  }

  @Test func `a single process throws its own errors`() throws {
    #expect(throws: Fault.self) { try Communicator.single.together { throw Fault(what: "own") } }
    #expect(throws: Fault.self) {
      try Communicator.single.first { () -> Int in throw Fault(what: "own") }
    }
    #expect(try Communicator.single.all(3) == [3])
    #expect(Communicator.single.size == 1 && Communicator.single.isFirst)
  }
}
