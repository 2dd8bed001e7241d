import Architectures
import Checkpoints
public import Communication
import Conversion
import Exports
import Foundation
import Foundations
import Mixers
public import ModelFiles
public import Runtime
public import StepSettings
import StrictJSON
import TensorTypes

/// Everything a bad checkpoint can hide, checked level by level.
public struct Verifier {
  /// The checkpoint.
  public let file: ModelFile
  /// What it was made from, when it is at hand.
  public let source: ModelFile?
  /// Which weights stay in memory.
  public let residency: Model.Residency
  /// Whose signature is asked for.
  private let publicKey: PublicKey?
  /// The manifest, when the checkpoint is a directory of ours.
  private let manifest: Manifest?
  /// The processes that share the reading of files.
  private let ranks: Communicator

  /// Tokens of the logits checks.
  static let probeLength = 64
  /// Tokens of the comparison with the source: enough for matrix products on either side, so that
  /// rounding is the same.
  static let comparedLength = 96

  /// Prepares the verification of `file` by all `ranks`.
  ///
  /// - Parameter publicKey: whose signature it must have, if anybody's.
  public init(
    _ file: ModelFile, source: ModelFile?, residency: Model.Residency,
    publicKey: PublicKey? = nil, ranks: Communicator = .single
  ) throws {
    self.file = file
    self.source = source
    self.residency = residency
    self.publicKey = publicKey
    self.ranks = ranks
    manifest = Manifest.isPresent(in: file.path) ? try Manifest(unsealed: file.path) : nil
  }

  /// Runs the checks up to `level`, calling `report` after each; stops after the first level with
  /// a failure, because deeper checks would only repeat it.
  ///
  /// Hashes and provenance are split by file; everything else is checked by the first rank. All
  /// ranks report the same.
  public func run(level: VerificationLevel, report: (CheckResult) -> Void) throws -> Bool {
    let experts = ExpertsCheck(file: file)
    // The level, whether all ranks take part, and the check.
    let checks: [(VerificationLevel, Bool, () throws -> [CheckResult])] = [
      (.structure, false, { [structure()] }),
      (.hashes, true, { [try hashes()] }),
      (.hashes, false, signature),
      (.hashes, true, { [try provenance()] }),
      (.values, false, { [try ValuesCheck(file: file).run()] }),
      (.values, false, { file.isCut ? [try reassembly()] : [] }),
      (.values, false, { experts.applies ? [try experts.coverage()] : [] }),
      (.values, false, { neurons.map { [$0] } ?? [] }),
      (.logits, false, logits),
      (.logits, false, { [try equality()] }),
    ]
    var failedAt: VerificationLevel?
    for (step, isShared, check) in checks where step <= level {
      if let failedAt, failedAt < step { break }
      let own = isShared ? try found(step, by: check) : []
      for result in try ranks.first({ isShared ? own : try found(step, by: check) }) {
        report(result)
        if result.outcome == .failed { failedAt = step }
      }
    }
    return failedAt == nil
  }

  /// What `check` finds. A model that gives no finite numbers is a finding, not bad input.
  private func found(
    _ level: VerificationLevel, by check: () throws -> [CheckResult]
  ) throws -> [CheckResult] {
    do {
      return try check()
    } catch let error as RuntimeError where error.isNotFinite {
      return [.failed(level.rawValue, error.what)]
    } catch let error as ConversionError where error.isNotFinite {
      return [.failed(level.rawValue, error.what)]
    }
  }

  private func structure() -> CheckResult {
    let changed = manifestProblems, problems = file.problems.map(\.text) + changed
    if let first = problems.first {
      let more = problems.count > 1 ? " (and \(problems.count - 1) more)" : ""
      return .failed("structure", file.problems.isEmpty ? explained(first + more) : first + more)
    }
    let note =
      manifest?.seal == .absent
      ? "; manifest.json has no sha256 of its own, as earlier versions wrote it" : ""
    return .passed(
      "structure",
      "\(file.tensors.count) tensors have the names, shapes and types the configuration calls for"
        + note)
  }

  /// What another program changed by `manifest.json`, or else by that of the time before; nil when
  /// nothing did, or neither is there.
  private var change: String? {
    manifest?.seal == .broken ? nil : (try? file.history(.quick))?.change
  }

  /// What another program changed, behind what shows it.
  private func explained(_ problem: String) -> String {
    guard manifest != nil, let change else { return problem }
    return "\(problem): \(change); if that was meant, rename \(Manifest.fileName) to "
      + "\(Manifest.formerName), and the rest is checked"
  }

  /// Tensors whose place differs from what the manifest recorded.
  private var manifestProblems: [String] {
    guard let manifest else { return [] }
    if manifest.seal == .broken {
      let name = Manifest.fileName
      return [CheckpointError.manifestChanged(file: name).what].map { "\(name) \($0)" }
    }
    var problems: [String] = []
    for tensor in manifest.tensors {
      let recorded = tensor.stored
      guard let stored = file.stored.tensor(named: recorded.name) else {
        problems.append("\(recorded.name) is in the manifest but not in the files")
        continue
      }
      if stored.type != recorded.type || stored.shape != recorded.shape
        || stored.offset != recorded.offset || !stored.file.hasSuffix(recorded.file)
      {
        problems.append("\(recorded.name) lies elsewhere than the manifest says")
      }
    }
    if manifest.tensors.count != file.stored.tensors.count, problems.isEmpty {
      problems.append(
        "the files hold \(counted(file.stored.tensors.count, "tensor")), the manifest lists "
          + "\(manifest.tensors.count)")
    }
    return problems
  }

  private func hashes() throws -> CheckResult {
    guard let manifest else {
      return .skipped(
        "hashes", "there is no manifest.json" + (change.map { "; \($0)" } ?? ""))
    }
    let shares = FileShares(
      manifest.files.map { (file.path + "/" + $0.name, $0.bytes) }, ranks: ranks)
    let own = try manifest.verifyFiles(
      in: file.path, chosen: { shares.isOwn(file.path + "/" + $0.name) })
    // All ranks find files that are not listed; the order is that of a single rank.
    let texts = try ranks.all(own.map { [$0.name, $0.description] })
      .flatMap { $0 }.reduce(into: [String: String]()) { $0[$1[0]] = $1[1] }
    let listed = manifest.files.map(\.name)
    let mismatches =
      listed.compactMap { texts[$0] }
      + Set(texts.keys).subtracting(listed).sorted().compactMap { texts[$0] }
    if let first = mismatches.first {
      let more = mismatches.count > 1 ? " (and \(mismatches.count - 1) more)" : ""
      return .failed("hashes", explained("\(first)\(more)"))
    }
    return .passed("hashes", "\(counted(manifest.files.count, "file")) with the recorded SHA-256")
  }

  private func signature() throws -> [CheckResult] {
    try SignatureCheck(directory: file.path, key: publicKey).run().map { [$0] } ?? []
  }

  /// The step that made the checkpoint.
  private var step: StepRecord? { manifest?.step }

  /// Whether `export` made it.
  private var isExported: Bool { step?.name == .export }

  /// Whether every neuron of carved feed-forward parts belongs to one expert; nil without any.
  private var neurons: CheckResult? {
    manifest.flatMap { NeuronsCheck(file: file, manifest: $0)?.run() }
  }

  private static let needsCalibrated = "give the checkpoint that was calibrated as --source"

  /// What `step` made of `source`, decided again.
  private func plan(_ step: StepRecord?, from source: ModelFile) throws -> CheckpointPlan? {
    try PlanAgain(manifestPath: file.path + "/" + Manifest.fileName, source: source).plan(step)
  }

  private func provenance() throws -> CheckResult {
    guard let source else {
      return .skipped("provenance", "give --source to compare with what it was made from")
    }
    if lacksHealedSource(source) {
      return .skipped(
        "provenance", "it was healed before: give the checkpoint that was upcycled as --source")
    }
    if let change = foreign(to: source) { return .skipped("provenance", change) }
    if let reason = adapterProblem(of: source) { return .failed("provenance", reason) }
    if step?.name == .calibrate, !PlanAgain.isDirect(source, of: step) {
      return .skipped("provenance", Self.needsCalibrated)
    }
    if let neurons, neurons.outcome == .failed {
      return .failed("provenance", neurons.detail)
    }
    // Asked to compare and unable to: that is no success.
    let again: CheckpointPlan?
    do {
      again = try plan(step, from: source)
    } catch let error as ConversionError {
      // What could not even be planned was not made from it.
      return .failed("provenance", "it was not made from this --source: \(error.what)")
    }
    guard let plan = again else {
      return .failed(
        "provenance",
        manifest == nil
          ? "there is no manifest.json that says how it was made from --source"
            + (change.map { "; \($0)" } ?? "")
          : "the manifest does not record how it was made from --source"
            + wantedSource)
    }
    return try ProvenanceCheck(
      converted: file, plan: plan, replaced: isExported ? [:] : replaced,
      comparesEveryKey: isExported, ranks: ranks
    ).run()
  }

  /// The ranks' parts against each other, and put together against the source if it is the one that
  /// was exported.
  private func reassembly() throws -> CheckResult {
    try ReassemblyCheck(file: file, source: isExported ? source : nil).run()
  }

  /// Which source the manifest is about, for messages.
  private var wantedSource: String {
    let steps = (manifest?.steps ?? []).map(\.name.rawValue)
    guard let first = steps.first, let source else { return "" }
    return
      ": it names the steps \(steps.joined(separator: ", ")), so give what `\(first)` "
      + "read; --source is of type \(source.architecture.modelType)"
  }

  /// The tensors that were computed on a text, and how: no plan makes them again.
  private var replaced: [String: Computation] {
    let transforms = manifest?.transforms ?? [:]
    return file.tensors.reduce(into: [:]) { replaced, tensor in
      guard let computation = transforms[tensor.value.name]?.computation else { return }
      let isPossible =
        switch computation {
        case .healed, .int8, .int4: true
        case .clustered, .fittedToNeurons: tensor.key.role == .router
        case .refitted: tensor.key.role == .ffnDown && tensor.key.expert != nil
        }
      if isPossible { replaced[tensor.value.name] = computation }
    }
  }

  private func logits() throws -> [CheckResult] {
    let model = try Model(file.description.unspiked, weights: file, residency: residency)
    let tokens = LogitsCheck.probe(for: file.description, count: Self.probeLength)
    let experts = ExpertsCheck(file: file)
    var results = try LogitsCheck(model: model, tokens: tokens).run()
    if file.description.spiking != nil {
      let spiked = try Model(file.description, weights: file, residency: residency)
      results += try SpikingCheck(model: spiked, tokens: tokens).run()
    }
    return try results
      + (experts.applies ? [experts.routing(of: model, tokens: tokens)] : [])
  }

  private func equality() throws -> CheckResult {
    if step?.name == .upcycle { return try upcycling() }
    let name = SourceCheck.name
    guard let source else { return .skipped(name, "give --source to compare with it") }
    if let change = foreign(to: source) { return .skipped(name, change) }
    if isExported, let result = try ExportCheck(exported: file, source: source).run() {
      return result
    }
    if let quantization = file.description.quantization {
      return .skipped(name, "\(quantization.codes.text) weights differ from the source on purpose")
    }
    if step?.name == .heal {
      return .skipped(name, "healed layers differ from the source on purpose")
    }
    // Where every window holds the whole probe, window attention is full attention.
    var length = Self.comparedLength
    for layer in source.description.layers + file.description.layers where !layer.mixer.isLinear {
      length = min(length, layer.mixer.window?.size ?? length)
    }
    var description = file.description.withAllLayers(.window(.init(size: length)))
    if step?.name == .calibrate {
      guard PlanAgain.isDirect(source, of: step) else {
        return .skipped(name, Self.needsCalibrated)
      }
      description = file.description.unspiked
    }
    if isExported { description = file.description }
    return try SourceCheck(
      converted: file, description: description, source: source, residency: residency,
      tokens: LogitsCheck.probe(for: file.description, count: length)
    ).run()
  }
}

extension Verifier {
  /// How the adapter that was merged into what the checkpoint was made from differs from that of
  /// `source`; nil when it does not.
  private func adapterProblem(of source: ModelFile) -> String? {
    guard PlanAgain.isDirect(source, of: step) || isExported else { return nil }
    let merged = manifest?.source["adapter"]?["sha256"]?.string, given = source.adapters?.digest
    guard merged != given else { return nil }
    guard let merged else { return "no adapter was merged: leave out --lora" }
    let name = "the adapter of SHA-256 \(merged.prefix(8))…"
    return given == nil
      ? "\(name) was merged into --source: give it as --lora"
      : "\(name) was merged into --source, --lora is another one"
  }

  /// Why nothing can be made again from `source`: another program changed what was made of it, and
  /// `source` is not what came of that; nil when it is not so.
  private func foreign(to source: ModelFile) -> String? {
    let steps = manifest?.steps ?? []
    guard let place = steps.lastIndex(where: { $0.name == .outside }), place + 1 < steps.count,
      !PlanAgain.isDirect(source, of: step), let change = steps[place].change
    else { return nil }
    return
      "\(change): give the checkpoint that `\(steps[place + 1].name.rawValue)` read as --source"
  }

  /// Whether the checkpoint was upcycled from a healed one that `source` is not: healed tensors
  /// cannot be made again.
  private func lacksHealedSource(_ source: ModelFile) -> Bool {
    let steps = (manifest?.steps ?? []).map(\.name)
    guard let last = steps.last, [.upcycle, .heal].contains(last),
      !PlanAgain.isDirect(source, of: step), let upcycled = steps.firstIndex(of: .upcycle)
    else { return false }
    return steps[..<upcycled].contains(.heal)
  }

  /// The upcycled model against the dense one it was made from.
  private func upcycling() throws -> CheckResult {
    let name = UpcycleCheck.name
    guard let source else { return .skipped(name, "give --source to compare with it") }
    if lacksHealedSource(source) {
      return .skipped(name, "give the checkpoint that was upcycled as --source")
    }
    let dense: Model
    if PlanAgain.isDirect(source, of: step) {
      dense = try Model(source.description, weights: source, residency: residency)
    } else if let plan = try plan(step?.before, from: source) {
      dense = try Model(
        plan.description, weights: PlannedWeights(plan), residency: .bounded(bytes: 1 << 30))
    } else {
      return .skipped(name, "give the checkpoint that was upcycled as --source")
    }
    return try UpcycleCheck(
      file: file, dense: dense, residency: residency,
      stated: step?.found("measured", DenseDistance.self)
    ).run()
  }
}
