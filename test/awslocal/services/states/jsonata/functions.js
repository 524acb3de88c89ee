// What Step Functions adds to JSONata, and what it takes away. The host binds
// host.hash, host.uuid and host.random before this runs.
(function (jsonata, host) {
  "use strict";

  function fail(message) {
    throw { code: "D3137", message: message };
  }

  function partition(array, size) {
    if (array === undefined) return undefined;
    if (!Number.isInteger(size) || size < 1) fail("$partition: the chunk size must be a whole number of at least 1");
    const chunks = [];
    for (let i = 0; i < array.length; i += size) chunks.push(array.slice(i, i + size));
    return chunks;
  }

  function range(first, last, step) {
    if (![first, last, step].every(Number.isInteger) || step === 0) fail("$range: first, last and step must be whole numbers, and step not 0");
    if ((last - first) / step >= 10000) fail("$range: more than 10000 elements"); // the limit of States.ArrayRange is 1000
    const values = [];
    for (let v = first; step > 0 ? v <= last : v >= last; v += step) values.push(v);
    return values;
  }

  function hash(text, algorithm) {
    if (text === undefined) return undefined;
    const digest = host.hash(String(text), algorithm === undefined ? "SHA-256" : algorithm);
    if (digest === undefined) fail("$hash: the algorithm is one of MD5, SHA-1, SHA-256, SHA-384, SHA-512");
    return digest;
  }

  function parse(text) {
    if (text === undefined) return undefined;
    try {
      return JSON.parse(text);
    } catch (e) {
      fail("$parse: not JSON: " + e.message);
    }
  }

  // jsonText is a result as JSON; undefined when there is nothing.
  function jsonText(value) {
    function check(v, path) {
      if (typeof v === "function" || (v !== null && typeof v === "object" && (v._jsonata_lambda || v._jsonata_function))) {
        fail("the result holds a function" + path + ", which is not JSON");
      }
      if (typeof v === "number" && !Number.isFinite(v)) fail("the result holds the number " + v + path + ", which is not JSON");
      if (Array.isArray(v)) v.forEach((e, i) => check(e, path + "[" + i + "]"));
      else if (v !== null && typeof v === "object") for (const k of Object.keys(v)) check(v[k], path + "." + k);
    }
    if (value === undefined) return undefined;
    check(value, "");
    return JSON.stringify(value);
  }

  return {
    compile: function (text) {
      const expression = jsonata(text);
      expression.registerFunction("partition", partition, "<an:a>");
      expression.registerFunction("range", range, "<nnn:a<n>>");
      expression.registerFunction("hash", hash, "<s-s?:s>");
      expression.registerFunction("parse", parse, "<s-:x>");
      expression.registerFunction("uuid", host.uuid, "<:s>");
      expression.registerFunction("random", host.random, "<n?:n>");
      expression.assign("eval", undefined); // Step Functions has $parse instead
      return expression;
    },
    evaluate: async function (expression, names, texts) {
      const bindings = {};
      for (let i = 0; i < names.length; i++) bindings[names[i]] = JSON.parse(texts[i]);
      return jsonText(await expression.evaluate(undefined, bindings));
    },
  };
});
