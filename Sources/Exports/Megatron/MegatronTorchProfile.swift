import Architectures
import Conversion
import Foundations
public import ModelFiles
public import StepSettings
import StrictJSON

/// `megatron-torch`: the legacy directory of Megatron (`--ckpt-format torch`), a file for each rank.
public enum MegatronTorchProfile: ExportProfile {
  public static let name = "megatron-torch"
  public static let loader = "Megatron, --ckpt-format torch"
  public static let isDistributed = true

  public static func contents(
    of file: ModelFile, settings: ExportSettings
  ) throws -> ExportContents {
    let form = try MegatronForm(file, settings: settings, profile: name)
    let tensors = MegatronTensors(file: file, mapping: form.mapping, dtype: settings.dtype)
    let planned = try tensors.planned()
    var contents = ExportContents(
      description: form.description, configuration: form.configuration, tensors: planned,
      notes: form.notes + notes(form, written: planned.reduce(0) { $0 + $1.byteCount }, of: file),
      format: MegatronFiles.self)
    contents.metadata = MegatronArguments.object(for: form.mapping)
    contents.code = form.code
    return contents
  }

  private static func notes(_ form: MegatronForm, written: Int, of file: ModelFile) -> [String] {
    var notes = [
      "`args` is an argparse.Namespace: torch.load with weights_only needs "
        + "add_safe_globals([argparse.Namespace])."
    ]
    if form.mapping.topology.expert > 1 {
      notes.append(
        "Every expert rank holds all weights that are no experts again: \(ByteSize(written)) for "
          + "\(ByteSize(file.byteCount)) of weights.")
    }
    return notes
  }
}
