import ArgumentParser
import CVersion
import Communication
import Foundation
import Foundations
import HDF5
import Pipeline

/// The program: one subcommand per task.
@main
struct SpikingBrain: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "spikingbrain",
    abstract:
      "Converts Transformer checkpoints to SpikingBrain models, proves the result, runs it.",
    discussion: """
      CKPT is a Hugging Face directory (safetensors, PyTorch or HDF5 files), one such file, a GGUF file, \
      a directory of torch.distributed (DCP) or Megatron, one of this program's own, or hf:ORG/NAME: a model \
      of the Hugging Face Hub, as hf:ORG/NAME[@REVISION][:FILE.gguf]. Exit codes: 0 ok, 1 a check failed, 2 bad input or environment, 64 usage.
      """,
    version: "\(ProgramVersion.current) (commit \(String(cString: cversion_commit())))",
    subcommands: [
      Inspect.self, Convert.self, Heal.self, Upcycle.self, Calibrate.self, Export.self,
      Verify.self, Generate.self, Chat.self, Serve.self, Logits.self, Tokenize.self, Evaluate.self,
      ReportCommand.self, Bench.self, Diff.self, BuildCommand.self, Synthesize.self, Pack.self,
      Unpack.self, Sign.self,
    ])

  static func main() {
    HDF5Server.serveIfAsked()
    StandardStreams.fill()
    // A reader that goes away (`| head`) or a full disk is an error we report, not a signal.
    signal(SIGPIPE, SIG_IGN)
    signal(SIGXFSZ, SIG_IGN)
    var code = run()
    World.ranks.finish()
    if let error = Terminal.finish() {
      Terminal.report(error)
      if code == 0 { code = error.exitCode }
    }
    Foundation.exit(code)
  }

  /// Throws when `word`, the first argument, nearly is a subcommand.
  private static func requireKnown(_ word: String?) throws {
    let known = configuration.subcommands.map { $0._commandName } + ["help"]
    guard let word, !word.hasPrefix("-"), !known.contains(word),
      let nearest = NearestName.of(word, among: known)
    else { return }
    throw ValidationError("Unknown subcommand '\(word)'. Did you mean '\(nearest)'?")
  }

  /// Runs the command that the arguments name; returns the exit code.
  private static func run() -> Int32 {
    do {
      try World.join()
      try InputError.requireText(CommandLine.unsafeArgv)
      try requireKnown(CommandLine.arguments.dropFirst().first)
      var command = try parseAsRoot()
      try World.requireDistributed(command)
      try World.run(&command)
      return 0
    } catch let error as any ReportableError {
      Terminal.report(error)
      return error.exitCode
    } catch {
      // Usage, help, a check that failed and has said so.
      let code = exitCode(for: error)
      let message = fullMessage(for: error)
      if !message.isEmpty {
        if code.isSuccess { Terminal.say(message) } else { Terminal.note(message) }
      }
      return code.rawValue
    }
  }
}
