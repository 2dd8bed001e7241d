import Architectures
import Foundations
import Mixers
import TensorTypes
import Testing

@testable import StepSettings

/// Settings survive the manifest.
struct RecordedSettingsTests {
  private func again(_ settings: ConvertSettings) throws -> ConvertSettings {
    let fields = Dictionary(uniqueKeysWithValues: settings.fields.map { ($0.key, $0.value) })
    return try ConvertSettings(fields: fields, file: "manifest.json")
  }

  @Test func `of the defaults`() throws {
    #expect(try again(ConvertSettings()) == ConvertSettings())
  }

  @Test(arguments: OutputType.allCases)
  func `of every type`(_ type: OutputType) throws {
    var settings = ConvertSettings()
    settings.dtype = type
    #expect(try again(settings) == settings)
  }

  @Test(arguments: [0.1, -3.25, 1e-300, 999.5, .leastNonzeroMagnitude])
  func `of any gate bias, exactly`(_ bias: Double) throws {
    var settings = ConvertSettings()
    settings.gateBias = bias
    #expect(try again(settings) == settings)
  }

  @Test func `of everything else`() throws {
    var settings = ConvertSettings()
    settings.attentionLayers = .list([0, 2, 3])
    settings.fullAttentionLayers = .list([1])
    settings.window = 17
    settings.windowRule = .flash
    settings.shardSize = ByteSize(123_456_789)
    settings.seed = .max
    #expect(try again(settings) == settings)
  }

  @Test func `of an export`() throws {
    var settings = ExportSettings(profile: "vllm")
    settings.dtype = .float16
    settings.topology.tensor = 4
    settings.autoMap = false
    let fields = Dictionary(uniqueKeysWithValues: settings.fields.map { ($0.key, $0.value) })
    #expect(try ExportSettings(fields: fields, file: "manifest.json") == settings)
  }

  @Test(arguments: [RouterStart.zero, .clustered, .random(0.02)])
  func `of every router, without the texts it read`(_ router: RouterStart) throws {
    var settings = UpcycleSettings()
    settings.router = router
    if router == .clustered { (settings.tokens, settings.context) = (1234, 56) }
    let fields = Dictionary(uniqueKeysWithValues: settings.fields.map { ($0.key, $0.value) })
    #expect(try UpcycleSettings(fields: fields, file: "manifest.json") == settings)
  }

  @Test func `of a carving, without the texts it read`() throws {
    var settings = UpcycleSettings()
    (settings.carve, settings.experts, settings.topK) = (96, 12, 4)
    (settings.tokens, settings.context, settings.seed) = (1234, 56, 7)
    let fields = Dictionary(uniqueKeysWithValues: settings.fields.map { ($0.key, $0.value) })
    #expect(try UpcycleSettings(fields: fields, file: "manifest.json") == settings)
  }

  @Test(arguments: [SpikeThreshold.fixed(2.5), .auto, .kept])
  func `of every calibration`(_ k: SpikeThreshold) throws {
    var settings = CalibrateSettings()
    (settings.k, settings.queryK, settings.winners) = (k, .kept, 0.1)
    func again() throws -> CalibrateSettings {
      let fields = Dictionary(uniqueKeysWithValues: settings.fields.map { ($0.key, $0.value) })
      return try CalibrateSettings(fields: fields, file: "manifest.json")
    }
    #expect(try again() == settings)
    (settings.cache, settings.compression, settings.queryK) = (.int8, .zstd, .fixed(4))
    settings.weights = QuantizationSettings()
    settings.weights?.quantization = WeightQuantization(.int4, .channel)
    settings.weights?.rounding = .search
    #expect(try again() == settings)
  }

  @Test func `an unknown field is refused with the file`() throws {
    #expect {
      try ConvertSettings(fields: ["windoww": "5"], file: "manifest.json")
    } throws: { error in
      "\(error)".contains("manifest.json") && "\(error)".contains("did you mean \"window\"")
    }
  }

  @Test func `every field is a key of the recipe`() throws {
    for (key, value) in ConvertSettings().fields {
      #expect(throws: Never.self, "\(key)") {
        try ConvertSettings(fields: [key: value], file: "manifest.json")
      }
    }
  }
}
