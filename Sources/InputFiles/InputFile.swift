import Glibc

/// Whole files that a user names: recipes, texts, configurations, standard input.
///
/// Weights are mapped (`MappedFile`); what is read here is small and read at once. A path may name
/// something that never ends or never starts (a device, a named pipe, a directory): that is found
/// before a byte is read, and a limit bounds the rest.
public enum InputFile {
  /// What may be read.
  public enum Kind: Sendable {
    /// Regular files, so that a file that is checked now can be read again later.
    case regular
    /// Also what the shell has opened already: `<(…)`, `/dev/stdin`.
    case regularOrOpenPipe
  }

  /// The bytes of the file at `path`, at most `limit` of them.
  public static func read(
    _ path: String, limit: Int, kind: Kind = .regular
  ) throws(InputFileError) -> [UInt8] {
    let (descriptor, size) = try open(path, kind)
    defer { close(descriptor) }
    guard size <= limit else { throw .tooLarge(file: path, limit: limit) }
    return try read(descriptor, expecting: size, limit: limit, file: path)
  }

  /// Opens what may be read; the size of a regular file, 0 of a pipe.
  private static func open(
    _ path: String, _ kind: Kind
  ) throws(InputFileError) -> (descriptor: Int32, size: Int) {
    // O_NONBLOCK: opening a named pipe must not wait for a writer.
    let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else {
      throw errno == ENOENT ? .missing(file: path) : .system(file: path, errno: errno)
    }
    var status = stat()
    let problem: InputFileError?
    if fstat(descriptor, &status) != 0 {
      problem = .system(file: path, errno: errno)
    } else {
      switch status.st_mode & S_IFMT {
      case S_IFREG: problem = nil
      case S_IFDIR: problem = .directory(file: path)
      case S_IFIFO where kind == .regularOrOpenPipe && isOpenedByShell(path): problem = nil
      case let type: problem = .notRegular(file: path, type: name(ofType: type))
      }
    }
    if let problem {
      close(descriptor)
      throw problem
    }
    _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) & ~O_NONBLOCK)
    return (descriptor, Int(status.st_size))
  }

  /// All of standard input, at most `limit` bytes.
  public static func readStandardInput(limit: Int) throws(InputFileError) -> [UInt8] {
    try read(STDIN_FILENO, expecting: 0, limit: limit, file: standardInput)
  }

  /// What standard input is called in messages.
  public static let standardInput = "standard input"

  /// A named pipe in the file system waits for somebody; one that is open already does not.
  private static func isOpenedByShell(_ path: String) -> Bool {
    path == "/dev/stdin" || path.hasPrefix("/dev/fd/") || path.hasPrefix("/proc/self/fd/")
  }

  private static func name(ofType type: mode_t) -> String {
    switch type {
    case S_IFIFO: "a named pipe"
    case S_IFSOCK: "a socket"
    default: "a device"
    }
  }

  private static func read(
    _ descriptor: Int32, expecting size: Int, limit: Int, file: String
  ) throws(InputFileError) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(size)
    var block = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = Glibc.read(descriptor, &block, block.count)
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else {
        throw errno == EISDIR ? .directory(file: file) : .system(file: file, errno: errno)
      }
      if count == 0 { return bytes }
      guard bytes.count + count <= limit else { throw .tooLarge(file: file, limit: limit) }
      bytes += block[..<count]
    }
  }
}
