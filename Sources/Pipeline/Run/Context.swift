public import Checkpoints
public import Communication
public import Foundations
import Kernels
public import Runtime

/// What every step of a run has: its limits, how it treats what is there already, the processes that
/// share the work, and who listens.
public struct Context: Sendable {
  /// Bounds on what the run may use.
  public var limits = Limits()
  /// Whether everything is only looked at and described.
  public var isDryRun = false
  /// How outputs that are there already are treated.
  public var mode = OutputDirectory.Mode()
  /// Patterns of tensors that are left out of the checkpoints that are read, where their models have no
  /// place for them: names with `*` and `?`.
  public var ignoredTensors: [String] = []
  /// The processes of the run.
  public var ranks = Communicator.single
  /// Whether nothing may be fetched: models of the Hub come from its cache alone.
  public var isOffline = false
  /// Who hears what is said meanwhile; called by one thread at a time.
  public var listener: @Sendable (Event) -> Void = { _ in }

  /// A run of one process without limits, which nobody listens to.
  public init() {}

  func send(_ event: Event) { listener(event) }

  /// Says something that a user should know.
  func note(_ text: String) { send(.note(text)) }

  /// A piece of work whose progress is reported.
  public func progress(_ title: String, unit: Event.Progress.Unit = .share) -> Progress {
    Progress(title, unit: unit, self)
  }

  /// Runs `body`, which leaves its results in files, in the first process; the others then do the
  /// same and find it done.
  func firstThenAll<Result>(_ body: () throws -> Result) throws -> Result {
    let result = try ranks.together { ranks.isFirst ? try body() : nil }
    return try ranks.together { try result ?? body() }
  }

  /// The tool as manifests record it.
  static let tool = Manifest.Tool(name: "spikingbrain", version: ProgramVersion.current)
}

/// The version, recorded in manifests.
public enum ProgramVersion {
  /// The version of the program and of its library.
  public static let current = "0.2.0"
}

/// Bounds on what a run may use.
public struct Limits: Sendable {
  /// Most resident memory, mapped file pages included; nil for no bound.
  public var memory: ByteSize?
  /// Threads; nil for all processors.
  public var threads: Int?

  /// Least memory a run can be bounded to: the program, its buffers and one block of weights.
  public static let leastMemory = ByteSize(256 << 20)

  /// No bounds.
  public init(memory: ByteSize? = nil, threads: Int? = nil) {
    self.memory = memory
    self.threads = threads
  }

  /// Sets the number of threads; throws when the memory is below the least.
  public func apply() throws(LimitError) {
    if let memory, memory.bytes < Self.leastMemory.bytes { throw .memoryTooSmall(limit: memory) }
    if let threads { Parallel.threadCount = threads }
  }

  /// Whether weights of `bytes` bytes stay in memory or pass through layer by layer.
  public func residency(forWeights bytes: Int) -> Model.Residency {
    guard let memory else { return .whole }
    return bytes > memory.bytes / 2 ? .bounded(bytes: memory.bytes) : .whole
  }

  /// What measurements beside a conversion may use for weights.
  var measuring: Model.Residency { .bounded(bytes: memory?.bytes ?? 1 << 30) }

  /// What packing and unpacking may use: half of the limit, which leaves room for the index.
  var archives: Int { (memory ?? ByteSize(4 * Self.leastMemory.bytes)).bytes / 2 }
}

/// Why the limits of a run cannot be kept.
public enum LimitError: ReportableError {
  case memoryTooSmall(limit: ByteSize)

  public var what: String {
    switch self {
    case .memoryTooSmall(let limit):
      "--max-ram \(limit.exact) is too small; the least is \(Limits.leastMemory.exact)"
    }
  }
}
