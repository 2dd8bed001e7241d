import Architectures
import ArgumentParser
import Checkpoints
import Conversion
import Foundation
import ModelFiles
import Recipes
import Spiking
import StrictJSON
import TensorTypes

/// `calibrate`: activations become spike counts.
struct Calibrate: ParsableCommand, DistributedCommand {
  static let configuration = CommandConfiguration(
    abstract: "Makes a model's activations spike: measures them on text and chooses thresholds.",
    discussion: """
      Every projection then reads s · V_th with V_th = mean|x| / k and s = round(x / V_th). \
      Embeddings, routers, decay gates and the output head stay as they are. What was measured is \
      written to calibration.h5. Use other text for evaluation than for calibration.
      """)

  @Argument(help: "A checkpoint: a source or a converted one.")
  var ckpt: String

  @Argument(help: "The directory to write.")
  var out: String

  @OptionGroup var options: CalibrateOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    try output.limits.apply()
    let runner = CalibrateRunner(settings: try options.settings(), output: output)
    output.reporting.report(try runner.run(ckpt, to: out))
  }
}
