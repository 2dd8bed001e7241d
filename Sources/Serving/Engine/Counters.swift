/// What an engine has done so far.
package struct Counters: Sendable {
  /// Texts that are read or continued now, and those that wait.
  package var running = 0
  package var waiting = 0
  /// How texts ended.
  package var finished = 0
  package var failed = 0
  /// Those of them that had not finished when the program was to end.
  package var cut = 0
  package var cancelled = 0
  /// Tokens of prompts, and those of them that kept states had read.
  package var promptTokens = 0
  package var cachedTokens = 0
  /// Tokens that were generated and read, and steps that did so.
  package var generatedTokens = 0
  package var steps = 0
  /// Prompts that were read, and the seconds from their arrival until then.
  package var promptsRead = 0
  package var firstTokenSeconds = 0.0
}
