// Kept out of the page so that its content policy can forbid inline scripts; no outside validator is called.
SwaggerUIBundle({ url: "/openapi.json", dom_id: "#swagger-ui", validatorUrl: null, deepLinking: true });
