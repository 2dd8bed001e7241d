import CHDF5
import CHDF5Shim
import Glibc
import Synchronization

/// libhdf5 in a process that reads one file for another process, and may do nothing else.
///
/// The library trusts much of what a file says, and crashes or never ends where that is wrong. So
/// every file is read by the program `spikingbrain`, started a second time: without rights to write, to
/// open other files or to talk to anybody (Landlock, where the kernel has it), with limits of time and
/// memory that grow with the file's own size. Files that are written are read by nobody here.
package enum HDF5Server {
  /// The argument before the path by which the program is told to do this; the number changes with
  /// the requests.
  static let word = "hdf5-reader-1"

  /// What can be asked for.
  enum Request: Int {
    /// All tensors.
    case list
    /// The bytes of one of them.
    case tensor
    /// A dataset's shape and its numbers as float64.
    case doubles
    /// A dataset's texts.
    case texts
  }

  private static let isServer = Atomic(false)

  /// Does what the arguments ask for, if it is this, and ends the process. Called first of all by the
  /// program, which from then on starts itself.
  package static func serveIfAsked() {
    let arguments = CommandLine.arguments
    guard arguments.count == 3, arguments[1] == word else {
      return isServer.store(true, ordering: .relaxed)
    }
    serve(arguments[2])
    _exit(0)
  }

  /// The program that reads: this one; else the one that `SPIKINGBRAIN_PROGRAM` names; else the one
  /// beside this.
  static func program(for path: String) throws(HDF5Error) -> String {
    let own = "/proc/self/exe"
    if isServer.load(ordering: .relaxed) { return own }
    if let named = getenv("SPIKINGBRAIN_PROGRAM") { return String(cString: named) }
    var bytes = [CChar](repeating: 0, count: Int(PATH_MAX))
    let count = readlink(own, &bytes, bytes.count)
    let executable = String(
      decoding: bytes.prefix(max(0, count)).map(UInt8.init(bitPattern:)), as: UTF8.self)
    let beside = (executable.lastIndex(of: "/").map { executable[...$0] } ?? "") + "spikingbrain"
    guard access(String(beside), X_OK) == 0 else {
      throw .noReader(file: path, program: String(beside))
    }
    return String(beside)
  }

  private static func serve(_ path: String) {
    ch5_enter_cage(path)
    let channel = HDF5Channel(socket: 0)
    do {
      try HDF5Library.use {
        let file = try HDF5OpenFile(path)
        // As many bytes as there are may have to be looked at.
        ch5_allow(file.size / HDF5OpenFile.bytesPerSecond, 0)
        try channel.send(.content, HDF5Message())
        while true {
          let (_, count) = try channel.head()
          var bytes = [UInt8](repeating: 0, count: count)
          try bytes.withUnsafeMutableBytes { try channel.receive($0) }
          try answer(HDF5Message(bytes), of: file, on: channel)
        }
      }
    } catch let error as HDF5Error {
      try? channel.send(.fault, message(error))
    } catch {
      // The program has gone.
    }
  }

  /// Answers one request; an error ends nothing but the answer.
  private static func answer(
    _ request: HDF5Message, of file: HDF5OpenFile, on channel: HDF5Channel
  ) throws {
    do {
      try file.answer(request, on: channel)
    } catch let error as HDF5Error {
      try channel.send(.fault, message(error))
    }
  }

  private static func message(_ error: HDF5Error) -> HDF5Message {
    var message = HDF5Message()
    if case .failed(_, let operation, let reason) = error {
      message.put(operation)
      message.put(reason)
    }
    return message
  }
}
