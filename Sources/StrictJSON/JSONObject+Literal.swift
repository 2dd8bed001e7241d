extension JSONObject: ExpressibleByDictionaryLiteral {
  /// The members in their order.
  public init(dictionaryLiteral members: (String, JSONValue)...) { self.init(members) }
}
