import Checkpoints
package import Foundation

/// Where models come from and where they are kept, as the variables say that `huggingface_hub` reads.
package struct HubSettings: Sendable {
  /// The server.
  package var endpoint: URL
  /// The directory of the cache, in which each repository has one.
  package var cache: String
  /// What says who asks; nil for nobody in particular.
  package var token: String?
  /// Whether nothing may be fetched.
  package var isOffline: Bool
  /// Bytes of a file that are asked for at once: it bounds what waits in memory for the disk.
  package var pieceBytes = 64 << 20
  /// How often and how long it is tried.
  package var patience = Patience()

  /// Bounds on attempts, in seconds.
  package struct Patience: Sendable {
    /// Attempts of one request that bring nothing.
    package var attempts = 5
    /// The pause before the second attempt; each further one is twice as long.
    package var pause = 1.0
    /// The longest pause that is waited where the server names one.
    package var longestPause = 300.0
    /// How long nothing may arrive.
    package var silence = 30.0
  }

  /// What `environment` says, which is that of the process.
  package init(
    _ environment: [String: String] = ProcessInfo.processInfo.environment
  ) throws(HubError) {
    func text(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
    let home = text("HOME") ?? NSHomeDirectory()
    func path(_ text: String) -> String {
      let path = text == "~" || text.hasPrefix("~/") ? home + text.dropFirst() : text
      return path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
    }
    let hubHome =
      text("HF_HOME").map(path)
      ?? (text("XDG_CACHE_HOME").map(path) ?? home + "/.cache") + "/huggingface"
    cache =
      (text("HF_HUB_CACHE") ?? text("HUGGINGFACE_HUB_CACHE")).map(path) ?? hubHome + "/hub"
    let address = text("HF_ENDPOINT") ?? Self.publicEndpoint
    guard let url = URL(string: address), url.host != nil, url.query == nil,
      ["http", "https"].contains(url.scheme)
    else {
      throw .environment(
        "HF_ENDPOINT", value: address, expected: "an address like \(Self.publicEndpoint)")
    }
    endpoint = url
    isOffline = ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"].contains {
      ["1", "ON", "YES", "TRUE"].contains((text($0) ?? "").uppercased())
    }
    let file = text("HF_TOKEN_PATH").map(path) ?? hubHome + "/token"
    let given =
      text("HF_TOKEN") ?? text("HUGGING_FACE_HUB_TOKEN")
      ?? (try? String(contentsOfFile: file, encoding: .utf8))
    let token = given?.trimmingCharacters(in: .whitespacesAndNewlines) ?? ""
    guard token.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else {
      throw .environment("HF_TOKEN", value: "…", expected: "letters and digits on one line")
    }
    self.token = token.isEmpty ? nil : token
  }

  private static let publicEndpoint = "https://huggingface.co"

  /// The address on the server of what `parts` lead to, each of which is escaped.
  func url(_ parts: [some StringProtocol]) -> URL? {
    var allowed = CharacterSet.alphanumerics
    allowed.insert(charactersIn: "-._~")
    var text = endpoint.absoluteString
    if text.hasSuffix("/") { text.removeLast() }
    for part in parts {
      guard let part = String(part).addingPercentEncoding(withAllowedCharacters: allowed) else {
        return nil
      }
      text += "/" + part
    }
    return URL(string: text)
  }

  /// The page where a person sees the model.
  func page(of reference: HubReference) -> String {
    url(reference.repository.split(separator: "/"))?.absoluteString ?? reference.repository
  }
}
