import Foundation
import FoundationNetworking
import StepSettings
import StrictJSON
import TestSupport
import Testing

/// `chat` and `serve` as processes.
struct TalkingTests {
  private let directory: TemporaryDirectory

  init() throws {
    directory = try TemporaryDirectory()
    try TinyModel.convert(Repository.tinyQwen2, to: directory("c")) { $0.window = 16 }
    try directory.write(
      "c/chat_template.jinja",
      "{% for m in messages %}<{{ m.role }}>{{ m.content }}\n{% endfor %}<assistant>")
  }

  @Test func `a conversation that is piped in, saved and loaded`() throws {
    let options = ["chat", directory("c"), "--max-tokens", "5"]
    let first = try Program.run(
      options, input: "Hello\n/save \(directory("s"))\nWhy?\n/unknown\n/quit\nnever\n")
    #expect(first.code == 0)
    let answers = first.text.split(separator: "\n", omittingEmptySubsequences: false)
    #expect(first.error.contains("(5 tokens at "))
    #expect(first.error.contains("no such command"))
    let second = try Program.run(options + ["--load", directory("s"), "--quiet"], input: "Why?\n")
    #expect(second.code == 0)
    #expect(second.error.isEmpty)
    #expect(first.text.hasSuffix("\n" + second.text))
    #expect(answers.count >= 3)
  }

  @Test func `a line that is no text ends a script`() throws {
    let result = try Program.run(
      after: "printf 'Hello\\n\\377\\nWhy?\\n' > '\(directory("in"))'; exec < '\(directory("in"))'",
      ["chat", directory("c"), "--max-tokens", "2", "--quiet"])
    #expect(result.code == 2)
    #expect(result.error.contains("no UTF-8"))
    #expect(result.text.split(separator: "\n").count == 1)
  }

  @Test func `a file that is no conversation, and a model without a format`() throws {
    try directory.write("x", "x")
    let result = try Program.run(
      ["chat", directory("c"), "--max-tokens", "2"], input: "/load \(directory("x"))\nHello\n")
    #expect(result.code == 0)
    #expect(result.errorLines.contains { $0.hasPrefix("error: ") })
    #expect(try Program.run("chat", Repository.tinyQwen2).code == 2)
  }

  /// A server at work, and where it is.
  private func serving(_ options: String = "") throws -> (RunningProgram, url: String) {
    let server = try RunningProgram(
      "/bin/bash",
      [
        "-c",
        "exec '\(Program.path)' serve '\(directory("c"))' --port 0 --json \(options) "
          + "> '\(directory("out"))'",
      ])
    var url: String?
    for _ in 0..<600 where url == nil {
      usleep(50_000)
      let text = (try? Files.bytes(directory("out"))) ?? []
      url = (try? JSONParser.parse(text))?["url"]?.string
    }
    return (server, try #require(url))
  }

  private func ask(_ url: String, _ body: String? = nil) async throws -> (Int, String) {
    var request = URLRequest(url: try #require(URL(string: url)))
    request.httpMethod = body == nil ? "GET" : "POST"
    request.httpBody = body.map { Data($0.utf8) }
    let (data, response) = try await URLSession.shared.data(for: request)
    return ((response as? HTTPURLResponse)?.statusCode ?? 0, String(decoding: data, as: UTF8.self))
  }

  @Test func `a server says where it is, answers, and stops when told to`() async throws {
    let (server, url) = try serving()
    let (_, text) = try await ask(url + "/v1/models")
    #expect(try JSONParser.parse(Array(text.utf8))["data"]?.array?.first?["id"]?.string == "c")
    server.send(SIGTERM)
    #expect(try server.wait(seconds: 60).code == 0)
  }

  @Test func `a server that is to stop says so, and at a second signal what was not done fails`()
    async throws
  {
    let (server, url) = try serving("--max-tokens 10000000")
    async let long = ask(
      url + "/v1/completions",
      #"{"prompt":"It is a truth","max_tokens":10000000,"temperature":1,"n":8,"stream":true}"#)
    while try await !ask(url + "/metrics").1.contains("_running 8") { usleep(20_000) }
    server.send(SIGTERM)
    var status = 200
    for _ in 0..<500 where status == 200 {
      usleep(20_000)
      status = try await ask(url + "/healthz").0
    }
    #expect(status == 503)
    #expect(try await ask(url + "/v1/completions", #"{"prompt":"a","max_tokens":1}"#).0 == 503)
    server.send(SIGTERM)
    let stream = try await long
    #expect(stream.0 == 200)
    #expect(stream.1.contains(#""code":"stopping""#))
    #expect(!stream.1.contains("[DONE]"))
    let result = try server.wait(seconds: 60)
    #expect(result.code == 0)
    #expect(result.error.contains("had not finished"))
  }

  @Test func `a variable for keys that holds none is no leave to serve everybody`() throws {
    for keys in ["", ","] {
      let result = try Program.run(
        ["serve", directory("c"), "--port", "0"], environment: ["SPIKINGBRAIN_API_KEY": keys])
      #expect(result.code == 2)
      #expect(result.error.contains("SPIKINGBRAIN_API_KEY"))
    }
  }

  @Test func `a port that is taken is an error`() throws {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let port = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, length)
        listen(descriptor, 1)
        getsockname(descriptor, $0, &length)
        return UInt16(
          bigEndian: UnsafeRawPointer($0).loadUnaligned(
            fromByteOffset: 2, as: UInt16.self))
      }
    }
    let result = try Program.run("serve", directory("c"), "--port", "\(port)")
    #expect(result.code == 2)
    #expect(result.error.contains("port \(port)"))
  }
}
