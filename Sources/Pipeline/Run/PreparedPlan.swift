import Conversion

/// A step whose plan needs nothing computed.
struct PreparedPlan: PreparedStep {
  let plan: CheckpointPlan
  let fingerprint: StepFingerprint

  func planned() -> CheckpointPlan { plan }

  func made(
    in workspace: () throws -> String, _ context: Context
  ) -> (plan: CheckpointPlan, findings: [Report]) { (plan, []) }
}
