import Foundations
import Glibc

/// Why a model cannot be had from a Hub.
package enum HubError: ReportableError, Equatable {
  /// It is no name of a model.
  case name(String)
  /// A variable of the environment that cannot be used.
  case environment(String, value: String, expected: String)
  /// Nothing may be fetched, and the cache does not hold it.
  case offline(String, cache: String, missing: [String])
  /// The server cannot be reached, or does not go on.
  case unreachable(String, url: String, reason: String)
  /// It is not there for everybody: 401.
  case unauthorized(String, page: String, hasToken: Bool)
  /// Its terms have to be accepted, or the token may not read it: 403.
  case forbidden(String, page: String, hasToken: Bool)
  case notFound(String, what: Part)
  /// Too much was asked: 429.
  case limited(String, seconds: Int?)
  /// The server cannot answer, after all attempts.
  case server(String, url: String, status: Int)
  /// An answer that makes no sense.
  case answer(String, url: String, reason: String)
  case noWeights(String, found: [String])
  case severalFiles(String, files: [String])
  case noFile(String, file: String, nearest: String?, found: [String])
  /// A file that is not what the Hub says it is.
  case damaged(String, file: String, hash: String)
  case noSpace(String, directory: String, needed: Int, free: Int)
  case system(path: String, errno: Int32)

  /// What is not there.
  package enum Part: Sendable, Equatable {
    case repository
    case revision(String)
    case file(String)
  }

  package var what: String {
    switch self {
    case .name: "is not the name of a model on the Hub: expected hf:ORG/NAME[@REVISION][:FILE]"
    case .environment(_, let value, let expected): "is \"\(value)\", expected \(expected)"
    case .offline(_, let cache, let missing):
      "is not in the cache \(cache)"
        + (missing.isEmpty ? "" : " as a whole: \(Self.list(missing)) missing")
        + ", and nothing may be fetched (offline)"
    case .unreachable(_, let url, let reason): "\(url) cannot be reached: \(reason)"
    case .unauthorized(_, let page, let hasToken):
      hasToken
        ? "\(page): the Hub refuses the token, or the name is wrong (401)"
        : "\(page) is private or gated, or the name is wrong (401)"
    case .forbidden(_, let page, let hasToken):
      hasToken
        ? "\(page): the token may not read it (403)"
        : "\(page) is gated: it is read with a token only"
    case .notFound(_, .repository): "there is no such model on the Hub (404)"
    case .notFound(_, .revision(let revision)): "it has no revision \(revision) (404)"
    case .notFound(_, .file(let file)): "it has no file \(file) (404)"
    case .limited(_, let seconds):
      "the Hub asks for fewer requests (429)"
        + (seconds.map { ", and to wait \(counted($0, "second"))" } ?? "")
    case .server(_, let url, let status): "\(url) answers with error \(status)"
    case .answer(_, let url, let reason): "\(url): \(reason)"
    case .noWeights(_, let found):
      "has no weights that are read (safetensors, PyTorch, HDF5, GGUF)"
        + (found.isEmpty ? "" : "; it has \(Self.list(found))")
    case .severalFiles(_, let files): "has several GGUF models: \(Self.list(files, most: 40))"
    case .noFile(_, let file, let nearest, let found):
      "has no file \(file)"
        + (nearest.map { "; did you mean \($0)?" } ?? "; it has \(Self.list(found, most: 40))")
    case .damaged(_, let file, let hash):
      "\(file) arrived with another hash than the Hub says (\(hash)): it was thrown away"
    case .noSpace(_, let directory, let needed, let free):
      "\(ByteSize(needed)) are to be fetched, and \(directory) has room for \(ByteSize(free))"
    case .system(_, let code): systemText(code)
    }
  }

  package var location: String? {
    switch self {
    case .name(let model), .environment(let model, _, _), .offline(let model, _, _),
      .unreachable(let model, _, _), .unauthorized(let model, _, _), .forbidden(let model, _, _),
      .notFound(let model, _), .limited(let model, _), .server(let model, _, _),
      .answer(let model, _, _), .noWeights(let model, _), .severalFiles(let model, _),
      .noFile(let model, _, _, _), .damaged(let model, _, _), .noSpace(let model, _, _, _):
      model
    case .system(let path, _): path
    }
  }

  package var advice: String? {
    switch self {
    case .offline: "leave out --offline (HF_HUB_OFFLINE), or fetch it where there is a network"
    case .unreachable:
      "run the same command again: what has arrived is kept; behind a proxy set https_proxy"
    case .unauthorized(_, _, let hasToken):
      hasToken
        ? "check the name, and HF_TOKEN (or the file token beside the cache)"
        : "check the name; for a private or gated model set HF_TOKEN to a token that may read it"
    case .forbidden(_, let page, let hasToken):
      "accept its terms at \(page)"
        + (hasToken ? " with the account of the token" : ", and set HF_TOKEN")
    case .notFound(_, .repository): "check the name; for a private model set HF_TOKEN"
    case .notFound(_, .revision): "name a branch, a tag or a commit of it behind @"
    case .limited: "wait, then run the same command again; with HF_TOKEN more is allowed"
    case .server, .damaged: "run the same command again; what has arrived whole is kept"
    case .severalFiles(let model, let files):
      files.first.map { "choose one, such as \(model):\($0)" }
    case .noSpace: "free some space, or set HF_HUB_CACHE to a directory that has more"
    case .system(_, ENOSPC), .system(_, EDQUOT):
      "free some space, then run the same command again: what has arrived is kept"
    case .environment: "change or unset the variable"
    default: nil
    }
  }

  private static func list(_ names: [String], most: Int = 8) -> String {
    let more = names.count > most ? " and \(names.count - most) more" : ""
    return names.prefix(most).joined(separator: ", ") + more
  }
}
