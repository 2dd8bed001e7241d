import Architectures
import Conversion
import ModelFiles
import StepSettings
import StrictJSON
import TestSupport
import Testing

@testable import Exports

/// A profile that a stranger adds, as docs/extending.md shows it: the model as it is, and one key more.
enum SampleProfile: ExportProfile {
  static let name = "sample"
  static let loader = "a loader that wants to know its rope base twice"

  static func contents(of file: ModelFile, settings: ExportSettings) throws -> ExportContents {
    var contents = try SpikingBrainProfile.contents(of: file, settings: settings)
    contents.configuration["base"] = .double(file.description.rotary.theta)
    contents.notes.append("The base of the rotary embedding is also called base.")
    return contents
  }
}

struct AddingAProfileTests {
  @Test func `it says what will be written of a model`() throws {
    let directory = try TemporaryDirectory()
    try TinyModel.llama.synthesize(to: directory("s"))
    let file = try ModelFile.open(directory("s"))
    let contents = try SampleProfile.contents(of: file, settings: ExportSettings(profile: "sample"))
    #expect(contents.configuration["base"]?.double == file.description.rotary.theta)
    #expect(contents.tensors.count == file.tensors.count)
    #expect(contents.notes.count == 1)
  }
}
