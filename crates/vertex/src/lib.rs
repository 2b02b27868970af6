//! The Gemini API on Vertex AI and on the Developer endpoint: wire types, client, access, errors
