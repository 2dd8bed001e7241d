import ArgumentParser
import StrictJSON
import TestSupport
import Testing

@testable import spikingbrain

extension Program.Result {
  /// The one JSON object that standard output holds.
  func json(sourceLocation: SourceLocation = #_sourceLocation) throws -> JSONObject {
    #expect(code == 0, "\(error)", sourceLocation: sourceLocation)
    let value = try? JSONParser.parse(output)
    return try #require(value?.object, "\(text)", sourceLocation: sourceLocation)
  }

  /// Expects success.
  @discardableResult
  func succeeded(sourceLocation: SourceLocation = #_sourceLocation) -> Program.Result {
    #expect(code == 0, "\(self)", sourceLocation: sourceLocation)
    return self
  }

  /// Expects exit 2 and one message that names everything in `words`.
  func refused(naming words: String..., sourceLocation: SourceLocation = #_sourceLocation) {
    refused(naming: words, sourceLocation: sourceLocation)
  }

  /// Expects exit 2 and one message that names everything in `words`.
  func refused(naming words: [String], sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(code == 2, "\(self)", sourceLocation: sourceLocation)
    #expect(output.isEmpty, "\(text)", sourceLocation: sourceLocation)
    let errors = errorLines.filter { $0.hasPrefix("error: ") }
    let advice = errorLines.filter { $0.hasPrefix("  try: ") }
    #expect(errors.count == 1, "\(error)", sourceLocation: sourceLocation)
    #expect(
      errors.count + advice.count == errorLines.count, "\(error)", sourceLocation: sourceLocation)
    for word in words {
      #expect(error.contains(word), "\(error)", sourceLocation: sourceLocation)
    }
  }
}

/// Every subcommand, from the command tree.
let subcommands = SpikingBrain.configuration.subcommands.map { $0._commandName }
