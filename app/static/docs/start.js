// The API's own description, to read and to try. Writes get the idempotency key they need.
const addKey = (request) => {
  if (request.method !== 'GET' && !request.headers['Idempotency-Key']) request.headers['Idempotency-Key'] = crypto.randomUUID();
  return request;
};
window.SwaggerUIBundle({ url: '/openapi.json', dom_id: '#docs', deepLinking: true, validatorUrl: null, defaultModelsExpandDepth: 0, requestInterceptor: addKey });
