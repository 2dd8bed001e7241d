import Dispatch
import Foundation
import FoundationNetworking
import Synchronization

/// What a server answers to one request.
struct HubResponse: Sendable {
  let url: URL
  let status: Int
  private let headers: [String: String]

  init(_ response: HTTPURLResponse, to url: URL) {
    self.url = url
    status = response.statusCode
    var headers: [String: String] = [:]
    for (name, value) in response.allHeaderFields {
      headers["\(name)".lowercased()] = "\(value)"
    }
    self.headers = headers
  }

  /// The header `name`, in lower case.
  subscript(name: String) -> String? { headers[name] }

  /// Where else it is; nil unless the answer says so.
  var redirection: URL? {
    guard (300..<400).contains(status), let place = headers["location"] else { return nil }
    return URL(string: place, relativeTo: url)?.absoluteURL
  }

  /// Of how many bytes a part is sent, and from which on; nil where it is not said.
  var part: (start: Int, total: Int?)? {
    guard let text = headers["content-range"], text.hasPrefix("bytes ") else { return nil }
    let parts = text.dropFirst("bytes ".count).split(separator: "/")
    guard parts.count == 2, let start = parts[0].split(separator: "-").first.flatMap({ Int($0) })
    else { return nil }
    return (start, Int(parts[1]))
  }

  /// Seconds that the server asks to wait: a number, or until a date.
  func wait(now: Date = Date()) -> Int? {
    guard let text = headers["retry-after"] else { return nil }
    if let seconds = Int(text.trimmingCharacters(in: .whitespaces)) { return max(0, seconds) }
    let format = DateFormatter()
    format.locale = Locale(identifier: "en_US_POSIX")
    format.timeZone = TimeZone(identifier: "GMT")
    format.dateFormat = "EEE, dd MMM yyyy HH:mm:ss zzz"
    return format.date(from: text).map { max(0, Int($0.timeIntervalSince(now).rounded(.up))) }
  }
}

/// One connection to a server: requests are sent one after the other, each answer is waited for, and
/// no redirection is followed by itself, since a token belongs to one server.
final class HubConnection: Sendable {
  private let session: URLSession
  private let receiver = Receiver()

  /// - Parameter silence: seconds after which an answer that does not go on counts as cut.
  init(silence: Double) {
    let configuration = URLSessionConfiguration.ephemeral
    configuration.urlCache = nil
    configuration.httpCookieStorage = nil
    configuration.httpShouldSetCookies = false
    configuration.timeoutIntervalForRequest = silence
    // A file of hundreds of gigabytes takes hours.
    configuration.timeoutIntervalForResource = 7 * 86_400
    session = URLSession(configuration: configuration, delegate: receiver, delegateQueue: nil)
  }

  deinit { session.invalidateAndCancel() }

  /// Why a request brought no whole answer.
  struct Cut: Error {
    let reason: String
  }

  /// Sends a request and waits for all of the answer.
  ///
  /// - Parameters:
  ///   - token: sent along as a bearer's.
  ///   - take: is given the body as it arrives once the answer's head is known, on a thread of its
  ///     own; returns false to have no more.
  func send(
    _ url: URL, method: String = "GET", token: String?, range: String? = nil,
    take: @escaping @Sendable (HubResponse, Data) -> Bool = { _, _ in true }
  ) throws(Cut) -> HubResponse {
    var request = URLRequest(url: url)
    request.httpMethod = method
    // Lengths and hashes are those of the file, not of a compressed form.
    request.setValue("identity", forHTTPHeaderField: "Accept-Encoding")
    request.setValue("spikingbrain", forHTTPHeaderField: "User-Agent")
    if let token { request.setValue("Bearer " + token, forHTTPHeaderField: "Authorization") }
    if let range { request.setValue("bytes=" + range, forHTTPHeaderField: "Range") }
    let task = session.dataTask(with: request)
    let ended = DispatchSemaphore(value: 0)
    receiver.exchange.withLock { $0 = Exchange(url: url, take: take, ended: ended) }
    task.resume()
    ended.wait()
    let exchange = receiver.exchange.withLock { exchange in
      defer { exchange = nil }
      return exchange
    }
    if let failure = exchange?.failure { throw Cut(reason: failure) }
    guard let response = exchange?.response else { throw Cut(reason: "there was no answer") }
    return response
  }

  /// A request that is under way.
  private struct Exchange {
    let url: URL
    let take: @Sendable (HubResponse, Data) -> Bool
    let ended: DispatchSemaphore
    var response: HubResponse?
    var failure: String?
    var isEnough = false
  }

  /// Hears of what arrives.
  private final class Receiver: NSObject, URLSessionDataDelegate {
    let exchange = Mutex<Exchange?>(nil)

    func urlSession(
      _ session: URLSession, task: URLSessionTask,
      willPerformHTTPRedirection response: HTTPURLResponse, newRequest request: URLRequest,
      completionHandler: @escaping (URLRequest?) -> Void
    ) {
      note(response)
      completionHandler(nil)
    }

    func urlSession(
      _ session: URLSession, dataTask: URLSessionDataTask, didReceive response: URLResponse,
      completionHandler: @escaping (URLSession.ResponseDisposition) -> Void
    ) {
      note(response)
      completionHandler(.allow)
    }

    func urlSession(_ session: URLSession, dataTask: URLSessionDataTask, didReceive data: Data) {
      note(dataTask.response)
      let (take, response) = exchange.withLock {
        ($0?.isEnough == true ? nil : $0?.take, $0?.response)
      }
      guard let take, let response else { return }
      guard !take(response, data) else { return }
      exchange.withLock { $0?.isEnough = true }
      dataTask.cancel()
    }

    func urlSession(
      _ session: URLSession, task: URLSessionTask, didCompleteWithError error: (any Error)?
    ) {
      note(task.response)
      let ended = exchange.withLock { exchange in
        if let error, exchange?.isEnough != true {
          exchange?.failure = (error as NSError).localizedDescription
        }
        return exchange?.ended
      }
      ended?.signal()
    }

    private func note(_ response: URLResponse?) {
      guard let response = response as? HTTPURLResponse else { return }
      exchange.withLock { exchange in
        guard let url = exchange?.url, exchange?.response == nil else { return }
        exchange?.response = HubResponse(response, to: url)
      }
    }
  }
}
