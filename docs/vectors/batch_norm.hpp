// The implementation that the runner judges: Batch Normalization in float.
#pragma once
#include <cmath>
#include <map>
#include <string>
#include <vector>

struct Layer {  // momentum is the weight of the old value
    float momentum, eps;
    std::vector<float> gamma, beta, running_mean, running_var;
};

// One call on x, row after row; it trains below a flag of 0.5. The gradients are those of Σ w·y.
inline std::map<std::string, std::vector<float>> call(Layer& layer, const std::vector<float>& x, double flag,
                                                      const std::vector<float>& w) {
    const size_t features = layer.gamma.size(), rows = x.size() / features;
    const bool evaluates = flag >= 0.5;
    std::vector<float> y(x.size()), dx(w.size()), dgamma(features), dbeta(features);
    for (size_t d = 0; d < features; ++d) {
        float mean = layer.running_mean[d], var = layer.running_var[d];
        if (!evaluates) {
            float sum = 0, squares = 0;
            for (size_t n = 0; n < rows; ++n) sum += x[n * features + d];
            mean = sum / rows;
            for (size_t n = 0; n < rows; ++n) squares += (x[n * features + d] - mean) * (x[n * features + d] - mean);
            var = squares / rows;
            layer.running_mean[d] = layer.momentum * layer.running_mean[d] + (1 - layer.momentum) * mean;
            layer.running_var[d] = layer.momentum * layer.running_var[d] + (1 - layer.momentum) * var;
        }
        const float r = 1 / std::sqrt(var + layer.eps);
        for (size_t i = d; i < x.size(); i += features) y[i] = layer.gamma[d] * ((x[i] - mean) * r) + layer.beta[d];
        for (size_t i = d; i < w.size(); i += features) {
            dbeta[d] += w[i];
            dgamma[d] += w[i] * ((x[i] - mean) * r);
        }
        for (size_t i = d; i < w.size(); i += features) {
            const float rest = evaluates ? 0 : (dbeta[d] + (x[i] - mean) * r * dgamma[d]) / rows;
            dx[i] = layer.gamma[d] * r * (w[i] - rest);
        }
    }
    return {{"y", y}, {"running_mean", layer.running_mean}, {"running_var", layer.running_var},
            {"dx", dx}, {"dgamma", dgamma}, {"dbeta", dbeta}};
}
