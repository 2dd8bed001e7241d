import Foundation
public import Foundations

/// How this process was started: alone, or as one of several by `mpirun` or `srun`.
public enum Launch {
  /// Joins the processes that were started together; called once, before anything else of this
  /// module.
  ///
  /// Throws when there are several and this program cannot reach the others.
  ///
  /// - Parameter environment: the variables of the process; nil for its own.
  public static func communicator(
    _ environment: [String: String]? = nil
  ) throws(LaunchError) -> Communicator {
    let count = count(environment ?? ProcessInfo.processInfo.environment)
    #if MPI
      if let count, count.isConnected {
        let transport = MPITransport()
        // A library that was built for another launcher takes every process to be alone.
        guard transport.size == count.processes else {
          throw .notConnected(processes: count.processes, isFirst: count.isFirst)
        }
        return Communicator(transport)
      }
    #endif
    guard let count, count.processes > 1 else { return .single }
    #if MPI
      throw .notConnected(processes: count.processes, isFirst: count.isFirst)
    #else
      // Processes of `srun` may be meant to be independent.
      guard count.isConnected else { return .single }
      throw .noMPI(processes: count.processes, isFirst: count.isFirst)
    #endif
  }

  struct Count: Equatable {
    var processes: Int
    var isFirst: Bool
    /// Whether whoever started them tells MPI how they reach each other.
    var isConnected: Bool
  }

  /// What the variables of Open MPI, PMI and Slurm say; nil when this process was started alone.
  static func count(_ environment: [String: String]) -> Count? {
    func number(_ name: String) -> Int? { environment[name].flatMap { Int($0) } }
    if let size = number("OMPI_COMM_WORLD_SIZE") ?? number("PMI_SIZE") {
      let rank = number("OMPI_COMM_WORLD_RANK") ?? number("PMI_RANK") ?? 0
      return Count(processes: size, isFirst: rank == 0, isConnected: true)
    }
    // `srun --mpi=pmix` gives the rank, and Slurm the number.
    guard let size = number("SLURM_STEP_NUM_TASKS") else { return nil }
    let rank = number("PMIX_RANK") ?? number("SLURM_PROCID") ?? 0
    return Count(
      processes: size, isFirst: rank == 0, isConnected: environment["PMIX_RANK"] != nil)
  }
}

/// Why processes that were started together cannot work together.
public enum LaunchError: ReportableError, Equatable {
  case noMPI(processes: Int, isFirst: Bool)
  case notConnected(processes: Int, isFirst: Bool)
  case notDistributed(command: String, processes: Int)

  /// Whether this process is the one that says so.
  public var isFirst: Bool {
    switch self {
    case .noMPI(_, let isFirst), .notConnected(_, let isFirst): isFirst
    case .notDistributed: true
    }
  }

  public var what: String {
    switch self {
    case .noMPI(let processes, _):
      "was started as \(processes) processes, and this program was built without MPI"
    case .notConnected(let processes, _):
      "was started as \(processes) processes that do not know of each other"
    case .notDistributed(let command, let processes):
      "\(command) works in one process, and \(processes) were started"
    }
  }

  public var advice: String? {
    switch self {
    case .noMPI: "make build-mpi, and docs/distributed.md; or start one process"
    case .notConnected: "srun --mpi=pmix, or mpirun; see srun --mpi=list"
    case .notDistributed: "run it without mpirun and srun"
    }
  }
}
