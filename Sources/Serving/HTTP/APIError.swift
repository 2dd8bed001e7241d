import Foundations
import Runtime
import StrictJSON

/// Why a request is refused, as OpenAI's clients expect to be told.
struct APIError: Error, Equatable {
  /// The HTTP status.
  var status: Int
  var message: String
  /// The parameter that is to blame.
  var parameter: String?
  /// A word for programs.
  var code: String?
  /// Seconds after which trying again makes sense.
  var retryAfter: Int?

  init(
    _ status: Int, _ message: String, parameter: String? = nil, code: String? = nil,
    retryAfter: Int? = nil
  ) {
    self.status = status
    self.message = message
    self.parameter = parameter
    self.code = code
    self.retryAfter = retryAfter
  }

  /// A parameter whose value cannot be used.
  static func invalid(_ parameter: String, _ message: String) -> APIError {
    APIError(400, message, parameter: parameter, code: "invalid_value")
  }

  /// What an error of the engine or the model means to a client.
  init(_ error: any Error, parameter: String? = nil) {
    let message = (error as? any ReportableError)?.description ?? "\(error)"
    switch error {
    case let error as APIError: self = error
    case ServingError.queueFull:
      self.init(429, message, code: "queue_full", retryAfter: 1)
    case ServingError.stopping: self.init(503, message, code: "stopping", retryAfter: 5)
    case ServingError.emptyPrompt: self.init(400, message, parameter: parameter)
    case ServingError.tooLong, RuntimeError.tooLong:
      self.init(400, message, parameter: parameter, code: "context_length_exceeded")
    case ServingError.timeLimit: self.init(504, message, code: "timeout")
    case RuntimeError.tokenOutOfRange: self = .invalid(parameter ?? "prompt", message)
    default: self.init(500, message)
    }
  }

  /// What kind of error it is, in OpenAI's words.
  private var type: String {
    switch status {
    case 401: "authentication_error"
    case 429: "rate_limit_error"
    case 500...: "server_error"
    default: "invalid_request_error"
    }
  }

  /// The object that is sent.
  var json: JSONValue {
    [
      "error": [
        "message": .string(message), "type": .string(type),
        "param": parameter.map { .string($0) } ?? .null, "code": code.map { .string($0) } ?? .null,
      ]
    ]
  }
}
