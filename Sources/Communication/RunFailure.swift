import Foundation
public import Foundations

/// Why one rank failed, as all of them throw it.
public struct RunFailure: ReportableError, Codable, Equatable {
  /// Which one.
  public var rank: Int
  /// What is wrong, and where that was; empty when everything was said before.
  public var what: String
  public var location: String?
  public var advice: String?
  public var exitCode: Int32

  /// The failure of `rank`, of `size`, because of `error`.
  init(_ error: any Error, rank: Int, of size: Int) {
    let known = error as? any ReportableError
    self.init(rank: rank, of: size, what: known?.what ?? "\(error)")
    location = known?.location
    advice = known?.advice
    exitCode = known?.exitCode ?? 2
  }

  /// A failure that nothing more is known of.
  init(rank: Int, of size: Int, what: String = "failed") {
    self.rank = rank
    // Where all ranks fail alike it is the first that speaks, and there is no need to say so.
    let place = rank > 0 ? " (rank \(rank) of \(size), on \(ProcessInfo.processInfo.hostName))" : ""
    self.what = what.isEmpty ? "" : what + place
    exitCode = 2
  }
}
