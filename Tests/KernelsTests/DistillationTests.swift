import Foundation
import Testing

@testable import Kernels

extension KernelTests {
  @Suite struct DistillationTests {
    private struct Result {
      var gradient: [Float]
      var divergences: [Double]
      var total: Double
    }

    private func run(
      _ student: [Float], _ teacher: [Float], rows: Int, factor: Float = 1, reference: Bool = false
    ) -> Result {
      var result = Result(
        gradient: student, divergences: [Double](repeating: .nan, count: rows), total: .nan)
      result.total =
        (reference ? Distillation.referenceInPlace : Distillation.backwardInPlace)(
          &result.gradient, teacher, rows, student.count / rows, factor, &result.divergences)
      return result
    }

    @Test(arguments: [1, 2, 15, 16, 17, 67, 257, 4099], [Float(0.01), 1, 30])
    func matchesReference(count: Int, deviation: Float) {
      var random = Random(41)
      let rows = 7
      // Large offsets and spreads: exponentials of the logits themselves would overflow.
      let student = random.normals(rows * count, deviation: deviation).map { $0 + 500 }
      let teacher = random.normals(rows * count, deviation: deviation).map { $0 - 300 }
      let expected = run(student, teacher, rows: rows, factor: 0.5, reference: true)
      forEachInstructionSet { set in
        let result = run(student, teacher, rows: rows, factor: 0.5)
        let errors = zip(result.gradient, expected.gradient).map { abs($0 - $1) }
        #expect(errors.allSatisfy { $0 < 5e-7 }, "\(set)")
        for (ours, exact) in zip(result.divergences, expected.divergences) {
          #expect(abs(ours - exact) < 3e-7 * (1 + exact), "\(set) \(ours) \(exact)")
        }
        #expect(result.total == result.divergences.reduce(0, +))
      }
    }

    /// Equal rows give nothing; a shift of all logits changes nothing.
    @Test func equalRows() {
      var random = Random(42)
      let teacher = random.normals(3 * 1000, deviation: 5)
      forEachInstructionSet { set in
        let result = run(teacher, teacher, rows: 3)
        #expect(result.total == 0 && result.gradient.allSatisfy { $0 == 0 }, "\(set)")
        let shifted = run(teacher.map { $0 + 64 }, teacher, rows: 3)
        #expect(abs(shifted.total) < 1e-5, "\(set)")
      }
    }

    /// Masked tokens: fine on both sides or the teacher's, infinite on the student's alone.
    @Test func maskedLogits() {
      let infinity = Float.infinity
      let student: [Float] = [1, -infinity, 0, 1, 2, 0, -infinity, 2, 0, .nan, 2, 0]
      let teacher: [Float] = [1, -infinity, 1, 1, -infinity, 0, 1, 2, 0, 1, 2, 0]
      forEachInstructionSet { set in
        let result = run(student, teacher, rows: 4)
        let expected = run(student, teacher, rows: 4, reference: true)
        for row in 0..<2 {
          #expect(abs(result.divergences[row] - expected.divergences[row]) < 1e-6, "\(set)")
          #expect(result.divergences[row] > 0)
        }
        #expect(result.divergences[2] == .infinity)
        #expect(result.divergences[3].isNaN)
        #expect(relativeError(Array(result.gradient[..<9]), Array(expected.gradient[..<9])) < 1e-6)
        #expect(result.gradient[9...].allSatisfy { $0.isNaN })
      }
    }

    @Test func bytesDoNotDependOnThreads() {
      var random = Random(43)
      let student = random.normals(11 * 20_011, deviation: 3)
      let teacher = random.normals(11 * 20_011, deviation: 3)
      let expected = Execution.with(threadCount: 1) {
        run(student, teacher, rows: 11, factor: 1 / 11)
      }
      forEachThreadCount([2, 7]) { _ in
        let result = run(student, teacher, rows: 11, factor: 1 / 11)
        #expect(result.gradient == expected.gradient && result.total == expected.total)
        #expect(result.divergences == expected.divergences)
      }
    }

    /// The reference against central differences of its own divergence.
    @Test func centralDifferences() {
      var random = Random(44)
      // Values that float32 holds with the steps added to them.
      let student = random.normals(9).map { ($0 * 64).rounded() / 64 }
      let teacher = random.normals(9)
      let gradient = run(student, teacher, rows: 1, factor: 3, reference: true).gradient
      for i in student.indices {
        let at = { (shift: Float) in
          var moved = student
          moved[i] += shift
          return run(moved, teacher, rows: 1, reference: true).total
        }
        let step = Float(1) / 4096
        let slope = 3 * (at(step) - at(-step)) / (2 * Double(step))
        #expect(abs(slope - Double(gradient[i])) < 1e-6, "\(i)")
      }
    }
  }
}
