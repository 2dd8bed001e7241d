import ArgumentParser
import Communication
import Foundation
import Foundations

/// The processes of this run: one, or as many as `mpirun` or `srun` started.
enum World {
  private static let joined = Result { () throws(LaunchError) in try Launch.communicator() }

  /// Joins the others; throws when that cannot be done.
  static func join() throws(LaunchError) { _ = try joined.get() }

  /// The processes, once they have joined.
  static let ranks = (try? joined.get()) ?? .single

  /// Whether this process talks to the user.
  static let speaks: Bool =
    switch joined {
    case .success(let ranks): ranks.isFirst
    case .failure(let error): error.isFirst
    }

  /// Throws when `command` would do the same in every process.
  static func requireDistributed(_ command: any ParsableCommand) throws(LaunchError) {
    guard ranks.size > 1, !(command is any DistributedCommand) else { return }
    let type = type(of: command)
    throw .notDistributed(
      command: type.configuration.commandName ?? "\(type)".lowercased(), processes: ranks.size)
  }

  /// Runs a command in all processes; what it throws in one, all throw.
  static func run(_ command: inout some ParsableCommand) throws {
    try ranks.together {
      do {
        try command.run()
      } catch let code as ExitCode where ranks.size > 1 {
        throw CheckFailed(exitCode: code.rawValue)
      } catch {
        // Help and usage are errors of the argument parser's own.
        let isKnown =
          error is any ReportableError
          || String(reflecting: type(of: error)).hasPrefix("ArgumentParser.")
        throw isKnown ? error : UnexpectedError(error)
      }
    }
  }

  /// What nothing on the way had words for.
  private struct UnexpectedError: ReportableError {
    var what: String
    var advice: String? { "this is a fault of the program: report it with the command" }

    init(_ error: any Error) {
      let text = (error as? CocoaError)?.localizedDescription ?? "\(error)"
      what = "the command failed unexpectedly: \(text)"
    }
  }

  /// A command that ends with a code after it has said everything.
  private struct CheckFailed: ReportableError {
    var what: String { "" }
    var exitCode: Int32
  }
}

/// A command whose work several processes share.
protocol DistributedCommand {}
