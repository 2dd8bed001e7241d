import CFileSystem

/// What a user who ends a run by a signal should know.
package enum Interruption {
  /// From now on SIGINT and SIGTERM say `text` before they end the process.
  package static func say(_ text: StaticString) {
    text.utf8Start.withMemoryRebound(to: CChar.self, capacity: text.utf8CodeUnitCount + 1) {
      cfs_say_when_interrupted($0)
    }
  }

  /// From now on they say nothing.
  package static func saysNothing() { cfs_say_when_interrupted(nil) }
}
