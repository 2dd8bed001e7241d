/// The steps that recipes may name.
public enum Steps {
  /// All of them.
  public static let all: [any Step.Type] = [
    ConvertStep.self, HealStep.self, UpcycleStep.self, CalibrateStep.self, ExportStep.self,
    VerifyStep.self, EvaluateStep.self,
  ]
}
