import CKernels
import Foundation

/// The loss of a student that learns a teacher's distribution over the vocabulary.
public enum Distillation {
  /// KL(teacher‖student) of each row of logits [T, V], in nats; the student's become `factor` times
  /// its gradient. See below.
  public static func backwardInPlace(
    student: FloatMatrix, teacher: FloatMatrix, factor: Float = 0
  ) -> [Double] {
    student.requireSize(of: teacher)
    var divergences = [Double](repeating: 0, count: student.rows)
    withExtendedLifetime((student, teacher)) {
      _ = backwardInPlace(
        student: student.pointer, teacher: teacher.pointer, rows: student.rows,
        count: student.columns, factor: factor, divergences: &divergences)
    }
    return divergences
  }

  /// Computes KL(teacher ‖ student) of each row of logits and replaces the student's logits by the
  /// gradient (softmax(student) - softmax(teacher)) · factor.
  ///
  /// KL = sum of p · (log p - log q) with p = softmax(teacher), q = softmax(student). Sums run in
  /// float64, exponentials in float32: a divergence is right to about 1e-7 nats, and so may come out
  /// as little below 0. Equal rows give exactly 0 and no gradient. Where the teacher's logit is
  /// -infinity, the student's may be too; where only the student's is, the divergence is infinite.
  /// A NaN in a row makes its divergence NaN.
  ///
  /// - Parameters:
  ///   - student: logits [rows, count], replaced by their gradient.
  ///   - teacher: logits [rows, count].
  ///   - factor: what gradients are multiplied by, such as 1 / rows for a mean; the divergences are
  ///     not.
  ///   - divergences: KL of each row [rows], in nats.
  /// - Returns: the sum of `divergences`, in an order that does not depend on threads.
  @discardableResult
  static func backwardInPlace(
    student: UnsafeMutablePointer<Float>, teacher: UnsafePointer<Float>, rows: Int, count: Int,
    factor: Float, divergences: UnsafeMutablePointer<Double>
  ) -> Double {
    Parallel.ranges(rows, minimum: 1 + 32768 / max(1, count)) { range in
      for r in range {
        divergences[r] = backwardInPlace(
          student: student + r * count, teacher: teacher + r * count, count: count, factor: factor)
      }
    }
    return (0..<max(0, rows)).reduce(0) { $0 + divergences[$1] }
  }

  /// One row.
  private static func backwardInPlace(
    student: UnsafeMutablePointer<Float>, teacher: UnsafePointer<Float>, count: Int, factor: Float
  ) -> Double {
    guard count > 0 else { return 0 }
    let isa = Execution.isa
    let studentMax = ck_max(isa, student, count), teacherMax = ck_max(isa, teacher, count)
    let studentSum = ck_sum_exp(isa, student, studentMax, count)
    let teacherSum = ck_sum_exp(isa, teacher, teacherMax, count)
    let weighted = ck_divergence_backward(
      isa, student, teacher, studentMax, teacherMax, Float(Double(factor) / studentSum),
      Float(Double(factor) / teacherSum), count)
    // log p - log q = (teacher - max) - (student - max) + log of the sums' quotient.
    return weighted / teacherSum + log(studentSum / teacherSum)
  }

  /// The specification of `backwardInPlace`, in float64.
  @discardableResult
  static func referenceInPlace(
    student: UnsafeMutablePointer<Float>, teacher: UnsafePointer<Float>, rows: Int, count: Int,
    factor: Float, divergences: UnsafeMutablePointer<Double>
  ) -> Double {
    var total = 0.0
    for r in 0..<rows {
      let s = student + r * count, t = teacher + r * count
      let studentSum = Softmax.referenceLogSumExp(s, count: count)
      let teacherSum = Softmax.referenceLogSumExp(t, count: count)
      divergences[r] = 0
      for i in 0..<count {
        let logQ = Double(s[i]) - studentSum, logP = Double(t[i]) - teacherSum, p = exp(logP)
        if p != 0 { divergences[r] += p * (logP - logQ) }
        s[i] = Float((exp(logQ) - p) * Double(factor))
      }
      total += divergences[r]
    }
    return total
  }
}
