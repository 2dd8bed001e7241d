import Checkpoints
import Foundation
import Reporting

/// Times by length, as drawings.
struct SpeedPlot {
  /// Seconds to the first token by the length of the prompt, of each subject.
  let prefill: [(name: String, points: [(length: Double, seconds: Double)])]
  /// Tokens per second by the length of the text before them.
  let decode: [(name: String, points: [(length: Double, rate: Double)])]

  private static let first = (name: "ttft.svg", title: "Time to the first token")
  private static let steady = (name: "decode.svg", title: "Decoding")

  /// Throws when drawings cannot be put into `directory`: before minutes of measuring, not after. It is made
  /// if it is not there; of the files in it only earlier drawings of the same are replaced.
  static func checkPlace(_ directory: String) throws {
    var isDirectory: ObjCBool = false
    let exists = FileManager.default.fileExists(atPath: directory, isDirectory: &isDirectory)
    guard !directory.isEmpty, !exists || isDirectory.boolValue else {
      throw InputError.option("--plot", value: directory, expected: "a directory")
    }
    for (name, title) in [first, steady] {
      let path = directory + "/" + name
      guard !FileManager.default.fileExists(atPath: path) || isOwn(path, title) else {
        throw InputError.option(
          "--plot", value: directory, expected: "a directory without another \(name)")
      }
    }
    do {
      try FileManager.default.createDirectory(
        atPath: directory, withIntermediateDirectories: true)
    } catch {
      throw InputError.option("--plot", value: directory, expected: "a place for a directory")
    }
  }

  private static func isOwn(_ path: String, _ title: String) -> Bool {
    (try? String(contentsOfFile: path, encoding: .utf8))?.contains(title) ?? false
  }

  /// Writes `ttft.svg` and `decode.svg` to a directory that was checked.
  func write(to directory: String, inputs: [String]) throws {
    for (name, drawing) in [(Self.first.name, first), (Self.steady.name, steady)] {
      let path = directory + "/" + name
      let file = try AtomicFile(path: path, force: false, inputs: inputs) {
        Self.isOwn($0, drawing.title)
      }
      try file.write(Array(drawing.file.utf8))
      try file.commit()
    }
  }

  private var first: Drawing {
    let points = prefill.flatMap(\.points)
    return Chart(
      Self.first.title,
      x: Axis("tokens of the prompt", covering: points.map(\.length), scale: .logarithmic),
      y: Axis("seconds", covering: points.map(\.seconds), scale: .logarithmic),
      series(prefill.map { ($0.name, $0.points.map { ($0.length, $0.seconds) }) })
    ).drawing
  }

  private var steady: Drawing {
    // A logarithmic axis has no place for 0.
    let all = decode.map { subject in
      (subject.name, subject.points.map { (max($0.length, 1), $0.rate) })
    }
    let points = all.flatMap(\.1)
    return Chart(
      Self.steady.title,
      x: Axis("tokens before", covering: points.map(\.0), scale: .logarithmic),
      y: Axis("tokens per second", covering: points.map(\.1) + [0]), series(all)
    ).drawing
  }

  private func series(_ subjects: [(String, [(Double, Double)])]) -> [Series] {
    subjects.enumerated().map { index, subject in
      Series(subject.0, subject.1.map { .init($0.0, $0.1) }, color: index)
    }
  }
}
