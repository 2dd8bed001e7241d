public import Kernels

extension Distillation {
  /// KL(teacher‖student) of each row of logits [T, V], in nats; the student's become `factor` times
  /// its gradient.
  public static func backwardInPlace(
    student: FloatMatrix, teacher: FloatMatrix, factor: Float = 0
  ) -> [Double] {
    var divergences = [Double](repeating: 0, count: student.rows)
    withExtendedLifetime((student, teacher)) {
      _ = backwardInPlace(
        student: student.pointer, teacher: teacher.pointer, rows: student.rows,
        count: student.columns, factor: factor, divergences: &divergences)
    }
    return divergences
  }
}
