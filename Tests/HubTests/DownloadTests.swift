import Checkpoints
import Foundation
import Synchronization
import TestSupport
import Testing

@testable import Hub

/// Models fetched from a Hub that behaves badly.
struct DownloadTests {
  private let home: TemporaryDirectory
  /// 300 kB, of which no two parts are equal.
  private static let weights = (0..<75_000).flatMap { number in
    withUnsafeBytes(of: UInt32(number).littleEndian) { Array($0) }
  }
  private static let files: [String: [UInt8]] = [
    "config.json": Array("{}".utf8), "tokenizer.json": Array("{\"a\":1}".utf8),
    "model.safetensors": weights, "LICENSE": Array("free".utf8), "README.md": [],
    "flax_model.msgpack": [1, 2, 3], "pytorch_model.bin": [1, 2, 3], "model.gguf": [1, 2, 3],
    "notes.txt": [4],
  ]

  init() throws { home = try TemporaryDirectory() }

  private func settings(
    _ hub: StandInHub, _ others: [String: String] = [:]
  ) throws -> HubSettings {
    var settings = try HubSettings(hub.environment(home: home.path).merging(others) { $1 })
    settings.patience = .init(attempts: 3, pause: 0.01, longestPause: 2, silence: 1)
    return settings
  }

  private static var listener: Hub.Listener {
    Hub.Listener(note: { _ in }, progress: { _, _ in })
  }

  @discardableResult
  private func fetch(
    _ name: String = "hf:" + StandInHub.name, from hub: StandInHub, _ others: [String: String] = [:]
  ) throws -> String {
    try Hub(settings(hub, others)).path(of: HubReference(name), Self.listener)
  }

  private var repository: String { home("hub/models--tests--tiny") }

  @Test func `what is needed is fetched, in the layout that others read`() throws {
    let hub = try StandInHub(Self.files)
    let path = try fetch(from: hub)
    #expect(path == "\(repository)/snapshots/\(StandInHub.commit)")
    let names = ["LICENSE", "README.md", "config.json", "model.safetensors", "tokenizer.json"]
    #expect(try FileManager.default.contentsOfDirectory(atPath: path).sorted() == names)
    for name in names { #expect(try Files.bytes("\(path)/\(name)") == Self.files[name]) }
    #expect(try Files.text("\(repository)/refs/main") == StandInHub.commit)
    let hash = SHA256.hash(Self.weights).hex
    #expect(
      try FileManager.default.destinationOfSymbolicLink(atPath: path + "/model.safetensors")
        == "../../blobs/\(hash)")
    #expect(
      try FileManager.default.destinationOfSymbolicLink(atPath: path + "/README.md")
        == "../../blobs/e69de29bb2d1d6434b8b29ae775ad8c2e48c5391")
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: repository + "/blobs").count == 5)
    // From now on nothing is asked.
    let asked = hub.hub.requests.count
    #expect(try fetch(from: hub) == path)
    #expect(try fetch(from: hub, ["HF_HUB_OFFLINE": "1"]) == path)
    #expect(hub.hub.requests.count == asked)
  }

  @Test func `a cut connection goes on where it was`() throws {
    let hub = try StandInHub(Self.files)
    hub.plant(.cut(after: 100_000), .cut(after: 0), .cut(after: 70_000), in: "model.safetensors")
    let path = try fetch(from: hub)
    #expect(try Files.bytes(path + "/model.safetensors") == Self.weights)
    let ranges = hub.ranges(of: "model.safetensors").compactMap(\.self)
    #expect(Set(ranges) == ["bytes=100000-", "bytes=170000-"])
  }

  @Test func `a long file comes in pieces, from where the first came from`() throws {
    let hub = try StandInHub(Self.files)
    var settings = try settings(hub)
    settings.pieceBytes = 80_000
    hub.plant(.cut(after: 80_000), .cut(after: 80_000), .status(403), in: "model.safetensors")
    let path = try Hub(settings).path(of: HubReference("hf:" + StandInHub.name), Self.listener)
    #expect(try Files.bytes(path + "/model.safetensors") == Self.weights)
    // The address was good for two pieces, then it was asked for anew.
    #expect(
      hub.ranges(of: "model.safetensors") == ["bytes=0-79999", "bytes=160000-239999"])
    #expect(
      hub.store.requests.map { $0.headers["range"] } == [
        "bytes=0-79999", "bytes=80000-159999", "bytes=160000-239999", "bytes=160000-239999",
        "bytes=240000-",
      ])
  }

  @Test func `a run that was ended goes on from what has arrived`() throws {
    let hub = try StandInHub(Self.files)
    let place = "\(repository)/blobs/\(SHA256.hash(Self.weights).hex).incomplete"
    try home.write(
      String(place.dropFirst(home.path.count + 1)), Array(Self.weights.prefix(200_000)))
    let path = try fetch(from: hub)
    #expect(try Files.bytes(path + "/model.safetensors") == Self.weights)
    #expect(Set(hub.ranges(of: "model.safetensors")) == ["bytes=200000-"])
    #expect(!Files.exist(place))
  }

  @Test(arguments: [200_000, 400_000])
  func `what was left of another file is thrown away`(_ count: Int) throws {
    let hub = try StandInHub(Self.files)
    let place = "\(repository)/blobs/\(SHA256.hash(Self.weights).hex).incomplete"
    try home.write(
      String(place.dropFirst(home.path.count + 1)), [UInt8](repeating: 7, count: count))
    #expect(try Files.bytes(fetch(from: hub) + "/model.safetensors") == Self.weights)
  }

  @Test func `a server without ranges is enough`() throws {
    let hub = try StandInHub(Self.files)
    hub.plant(.cut(after: 100_000), .noRanges, in: "model.safetensors")
    #expect(try Files.bytes(fetch(from: hub) + "/model.safetensors") == Self.weights)
  }

  @Test(arguments: ["model.safetensors", "config.json"])
  func `another hash is refused, and nothing stays`(_ file: String) throws {
    let hub = try StandInHub(Self.files)
    hub.plant(.damage, .damage, in: file)
    if file == "config.json" { hub.plant(.damage, in: file) }
    let bytes = try #require(Self.files[file])
    let isLarge = file == "model.safetensors"
    let hash = isLarge ? SHA256.hash(bytes).hex : TestDigest.gitBlob(bytes)
    #expect(
      throws: HubError.damaged("hf:" + StandInHub.name, file: file, hash: hash)
    ) { try fetch(from: hub) }
    let blobs = try FileManager.default.contentsOfDirectory(atPath: repository + "/blobs")
    #expect(!blobs.contains { $0.hasPrefix(hash) })
  }

  @Test func `the token is for the Hub alone`() throws {
    let hub = try StandInHub(Self.files, token: "hf_secret")
    try fetch(from: hub, ["HF_TOKEN": " hf_secret\n"])
    #expect(!hub.store.requests.isEmpty)
    #expect(hub.store.requests.allSatisfy { $0.headers["authorization"] == nil })
    #expect(hub.hub.requests.allSatisfy { $0.headers["authorization"] == "Bearer hf_secret" })
  }

  @Test func `the token's file is read`() throws {
    let hub = try StandInHub(Self.files, token: "hf_secret")
    try home.write("token", "hf_secret\n")
    try fetch(from: hub)
  }

  @Test func `what may not be read is refused with what to do`() throws {
    let hub = try StandInHub(Self.files, token: "hf_secret")
    let name = "hf:" + StandInHub.name, page = hub.hub.url + "/" + StandInHub.name
    #expect(throws: HubError.forbidden(name, page: page, hasToken: false)) {
      try fetch(from: hub)
    }
    #expect(throws: HubError.notFound("hf:tests/other", what: .repository)) {
      try fetch("hf:tests/other", from: hub, ["HF_TOKEN": "hf_secret"])
    }
    hub.plant(.status(404, ["X-Error-Code": "RevisionNotFound"]), in: "")
    #expect(throws: HubError.notFound(name + "@old", what: .revision("old"))) {
      try fetch(name + "@old", from: hub, ["HF_TOKEN": "hf_secret"])
    }
    hub.plant(.status(401), in: "")
    #expect(throws: HubError.unauthorized(name, page: page, hasToken: true)) {
      try fetch(from: hub, ["HF_TOKEN": "hf_secret"])
    }
    // Of a gated model, too: a token that is not known is no token.
    hub.plant(.status(401, ["X-Error-Code": "GatedRepo"]), in: "")
    #expect(throws: HubError.unauthorized(name, page: page, hasToken: true)) {
      try fetch(from: hub, ["HF_TOKEN": "hf_secret"])
    }
  }

  @Test func `errors of servers are waited out, but not for ever`() throws {
    let hub = try StandInHub(Self.files)
    hub.plant(.status(503), .status(500), in: "")
    hub.plant(.status(429, ["Retry-After": "1"]), in: "config.json")
    hub.plant(.status(502), .status(403), in: "model.safetensors")
    let started = Date()
    try fetch(from: hub)
    #expect(Date().timeIntervalSince(started) >= 1)

    let name = "hf:" + StandInHub.name + "@other"
    hub.plant(.status(500), .status(500), .status(500), in: "")
    let url = "\(hub.hub.url)/api/models/\(StandInHub.name)/revision/other"
    #expect(throws: HubError.server(name, url: url, status: 500)) { try fetch(name, from: hub) }
    hub.plant(.status(429, ["Retry-After": "3600"]), in: "")
    #expect(throws: HubError.limited(name, seconds: 3600)) { try fetch(name, from: hub) }
  }

  @Test func `silence counts as a cut`() throws {
    let hub = try StandInHub(Self.files)
    hub.plant(.silence(3), in: "tokenizer.json")
    try fetch(from: hub)
  }

  @Test func `offline nothing is asked`() throws {
    let hub = try StandInHub(Self.files)
    let name = "hf:" + StandInHub.name
    #expect(throws: HubError.offline(name, cache: home("hub"), missing: [])) {
      try fetch(from: hub, ["HF_HUB_OFFLINE": "1"])
    }
    #expect(hub.hub.requests.isEmpty)
    let path = try fetch(from: hub)
    try Files.remove(path + "/model.safetensors")
    #expect(throws: HubError.self) { try fetch(from: hub, ["HF_HUB_OFFLINE": "yes"]) }
    // The blob is there still.
    let asked = hub.ranges(of: "model.safetensors").count
    try fetch(from: hub)
    #expect(hub.ranges(of: "model.safetensors").count == asked)
  }

  @Test func `shards are those that the index names`() throws {
    let index = #"{"weight_map":{"a":"m-1.safetensors","b":"m-2.safetensors"}}"#
    var files = Self.files
    files["model.safetensors"] = nil
    files["model.safetensors.index.json"] = Array(index.utf8)
    files["m-1.safetensors"] = [1]
    files["m-2.safetensors"] = [2]
    files["m-3.safetensors"] = [3]
    let path = try fetch(from: try StandInHub(files))
    let names = try FileManager.default.contentsOfDirectory(atPath: path)
    #expect(names.contains("m-1.safetensors") && names.contains("m-2.safetensors"))
    #expect(!names.contains("m-3.safetensors") && !names.contains("pytorch_model.bin"))
    files["m-2.safetensors"] = nil
    let other = try StandInHub(files)
    try Files.remove(repository)
    #expect(throws: HubError.self) { try fetch(from: other) }
  }

  @Test func `one of several GGUF files has to be chosen`() throws {
    let files: [String: [UInt8]] = [
      "a-Q4.gguf": [1], "a-Q8-00001-of-00002.gguf": [2], "a-Q8-00002-of-00002.gguf": [3],
      "README.md": [4],
    ]
    let hub = try StandInHub(files), name = "hf:" + StandInHub.name
    #expect(
      throws: HubError.severalFiles(name, files: ["a-Q4.gguf", "a-Q8-00001-of-00002.gguf"])
    ) { try fetch(from: hub) }
    let one = try fetch(name + ":a-Q4.gguf", from: hub)
    #expect(RelativeName.last(one) == "a-Q4.gguf")
    #expect(!Files.exist(RelativeName.directory(one) + "/a-Q8-00001-of-00002.gguf"))
    // What is in the cache is no choice.
    #expect(throws: HubError.self) { try fetch(from: hub) }
    let parts = try fetch(name + "/a-Q8-00001-of-00002.gguf", from: hub)
    #expect(Files.exist(RelativeName.directory(parts) + "/a-Q8-00002-of-00002.gguf"))
    #expect(
      throws: HubError.noFile(
        name + ":a-Q5.gguf", file: "a-Q5.gguf", nearest: "a-Q4.gguf",
        found: files.keys.filter { $0.hasSuffix(".gguf") }.sorted())
    ) { try fetch(name + ":a-Q5.gguf", from: hub) }
  }

  @Test func `two that fetch the same share it`() throws {
    let hub = try StandInHub(Self.files)
    let failures = Mutex(0)
    DispatchQueue.concurrentPerform(iterations: 2) { _ in
      do { _ = try fetch(from: hub) } catch { failures.withLock { $0 += 1 } }
    }
    #expect(failures.withLock { $0 } == 0)
    #expect(hub.ranges(of: "model.safetensors").count == 1)
    #expect(hub.store.requests.count == 1)
  }

  @Test func `progress is of bytes, and ends with all`() throws {
    let hub = try StandInHub(Self.files)
    var last = (0, 0)
    let listener = Hub.Listener(note: { _ in }) { last = ($0, $1) }
    _ = try Hub(settings(hub)).path(of: HubReference("hf:" + StandInHub.name), listener)
    let total = Self.weights.count + 2 + 7 + 4
    #expect(last == (total, total))
  }

  @Test func `variables are checked`() throws {
    for address in ["huggingface.co", "ftp://a", "http://"] {
      #expect(throws: HubError.self) { try HubSettings(["HF_ENDPOINT": address, "HOME": "/h"]) }
    }
    let settings = try HubSettings(["HOME": "/h"])
    #expect(settings.cache == "/h/.cache/huggingface/hub")
    #expect(settings.endpoint.absoluteString == "https://huggingface.co")
    #expect(try HubSettings(["HOME": "/h", "HF_HOME": "~/x/"]).cache == "/h/x/hub")
    #expect(try HubSettings(["HOME": "/h", "HF_HUB_CACHE": "/c"]).cache == "/c")
    #expect(try HubSettings(["HOME": "/h", "XDG_CACHE_HOME": "/c"]).cache == "/c/huggingface/hub")
  }
}
