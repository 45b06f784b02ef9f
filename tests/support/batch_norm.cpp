// A BatchNorm layer in C++ without gradients or libraries, as a program that speaks the protocol.
#include <cmath>
#include <cstdint>
#include <cstring>
#include <iostream>
#include <map>
#include <string>
#include <vector>

using Numbers = std::vector<float>;
const char* const names[] = {"gamma", "beta", "running_mean", "running_var"};

struct Array {
    std::vector<size_t> shape;
    Numbers values;
};

struct Layer {
    double momentum, eps;
    std::map<std::string, Numbers> arrays;
};

// Returns the text of a field: what follows its name, up to where its value must have ended.
std::string field(const std::string& line, const std::string& name, size_t from = 0) {
    size_t at = line.find("\"" + name + "\": ", from);
    return at == std::string::npos ? "" : line.substr(at + name.size() + 4);
}

std::string text(const std::string& line, const std::string& name) {
    std::string rest = field(line, name);
    return rest.empty() ? "" : rest.substr(1, rest.find('"', 1) - 1);
}

const std::string digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

Array unpack(const std::string& packed) {
    Array array;
    std::string shape = field(packed, "shape"), data = text(packed, "data"), bytes;
    if (text(packed, "dtype") != "float32") throw std::string("expected float32");
    for (size_t at = 1; shape[at] != ']';) {
        size_t used;
        array.shape.push_back(std::stoul(shape.substr(at), &used));
        at += used;
        while (shape[at] == ',' || shape[at] == ' ') at++;
    }
    uint32_t bits = 0;
    int count = 0;
    for (char digit : data) {
        if (digit == '=') break;
        bits = bits << 6 | digits.find(digit);
        if ((count += 6) >= 8) bytes += char(bits >> (count -= 8) & 255);
    }
    array.values.resize(bytes.size() / 4);
    std::memcpy(array.values.data(), bytes.data(), bytes.size());  // this machine is little-endian
    return array;
}

std::string pack(const Numbers& values, const std::vector<size_t>& shape) {
    std::string data, sizes;
    const auto* bytes = reinterpret_cast<const unsigned char*>(values.data());
    size_t size = values.size() * 4;
    for (size_t i = 0; i < size; i += 3) {
        uint32_t bits = 0;
        for (size_t k = 0; k < 3; k++) bits = bits << 8 | (i + k < size ? bytes[i + k] : 0);
        for (size_t k = 0; k < 4; k++)
            data += i + k > size ? '=' : digits[bits >> (18 - 6 * k) & 63];
    }
    for (size_t each : shape) sizes += (sizes.empty() ? "" : ", ") + std::to_string(each);
    return "{\"dtype\": \"float32\", \"shape\": [" + sizes + "], \"data\": \"" + data + "\"}";
}

std::string call(Layer& layer, const Array& x, bool evaluate) {
    size_t D = layer.arrays["gamma"].size();
    if (x.shape.size() != 2 || x.shape[1] != D || x.shape[0] == 0) throw std::string("shape of x");
    Numbers y = x.values;
    for (size_t d = 0; d < D; d++) {
        double mean = layer.arrays["running_mean"][d], var = layer.arrays["running_var"][d];
        if (!evaluate) {
            double rows = x.shape[0], m = layer.momentum, sum = 0, squares = 0;
            for (size_t i = d; i < y.size(); i += D) sum += x.values[i];
            for (size_t i = d; i < y.size(); i += D) squares += std::pow(x.values[i] - sum / rows, 2);
            layer.arrays["running_mean"][d] = m * mean + (1 - m) * (sum / rows);
            layer.arrays["running_var"][d] = m * var + (1 - m) * (squares / rows);
            mean = sum / rows, var = squares / rows;
        }
        double scale = layer.arrays["gamma"][d] / std::sqrt(var + layer.eps);
        for (size_t i = d; i < y.size(); i += D)
            y[i] = (x.values[i] - mean) * scale + layer.arrays["beta"][d];
    }
    return ", \"y\": " + pack(y, x.shape);
}

int main() {
    std::map<std::string, Layer> layers;
    for (std::string line; std::getline(std::cin, line);) {
        std::string request = text(line, "request"), answer, number = field(line, "layer");
        Layer& layer = layers[number.substr(0, number.find_first_of(",}"))];
        try {
            if (request == "describe") answer = ", \"protocol\": 1";
            if (request == "create") {
                size_t D = std::stoul(field(line, "features"));
                layer = {std::stod(field(line, "momentum")), std::stod(field(line, "eps")), {}};
                for (int k = 0; k < 4; k++) layer.arrays[names[k]] = Numbers(D, k % 3 == 0);
            }
            if (request == "call") {
                bool evaluate = field(line, "use_running_average")[0] == 't';
                answer = call(layer, unpack(field(line, "x")), evaluate);
            }
            for (const char* name : names) {
                if (request == "read")
                    answer += std::string(", \"") + name + "\": " +
                              pack(layer.arrays[name], {layer.arrays[name].size()});
                if (request == "write" && !field(line, name).empty())
                    layer.arrays[name] = unpack(field(line, name)).values;
            }
        } catch (const std::string& problem) {
            answer = ", \"error\": \"" + problem + "\"";
        }
        std::cout << "{\"id\": \"" << text(line, "id") << "\"" << answer << "}" << std::endl;
    }
}
