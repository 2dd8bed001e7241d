
public struct ChatMessage { public init(role: String, content: String) {} }
public struct ChatTemplate { public func render(_ m: [ChatMessage], addGenerationPrompt: Bool) throws -> String { "" } }
