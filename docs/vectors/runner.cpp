// Judges call() in batch_norm.hpp by a file of vectors. g++ -std=c++17 -O2 runner.cpp -o runner
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "batch_norm.hpp"

struct Json {  // a string, number or literal has a text only
    std::string text;
    std::vector<Json> items;
    std::map<std::string, Json> fields;
    double number() const { return std::strtod(text.c_str(), nullptr); }
    const Json& operator[](const std::string& name) const { return fields.at(name); }
    template <class T> std::vector<T> numbers() const {
        std::vector<T> found;
        for (const Json& item : items) found.push_back(static_cast<T>(item.number()));
        return found;
    }
};

Json parse(const char*& at) {
    auto skip = [&at] { while (*at && std::string(" \n\t\r,:").find(*at) != std::string::npos) ++at; };
    Json found;
    skip();
    if (*at == '"') {  // names and numbers of vectors have no escapes
        while (*++at != '"') found.text += *at;
        ++at;
    } else if (*at == '[') {
        for (++at, skip(); *at != ']'; skip()) found.items.push_back(parse(at));
        ++at;
    } else if (*at == '{') {
        for (++at, skip(); *at != '}'; skip()) {
            std::string name = parse(at).text;
            found.fields[name] = parse(at);
        }
        ++at;
    } else {
        while (*at && std::string(" \n\t\r,:]}").find(*at) == std::string::npos) found.text += *at++;
    }
    return found;
}

int main(int, char** arguments) {
    std::ifstream file(arguments[1]);
    std::string text{std::istreambuf_iterator<char>(file), {}};
    const char* at = text.c_str();
    const Json document = parse(at);
    int compared = 0;
    std::map<std::string, std::vector<std::string>> wrong;  // by requirement
    for (const auto& [name, group] : document["classes"].fields)
        for (const Json& vector : group.items) {
            const Json& state = vector["state"];
            Layer layer{static_cast<float>(vector["momentum"].number()),
                        static_cast<float>(vector["eps"].number()),
                        state["gamma"].numbers<float>(), state["beta"].numbers<float>(),
                        state["running_mean"].numbers<float>(), state["running_var"].numbers<float>()};
            for (const Json& step : vector["calls"].items) {
                auto cotangent = step.fields.count("cotangent") ? step["cotangent"].numbers<float>()
                                                                : std::vector<float>();
                auto results = call(layer, step["x"].numbers<float>(), step["flag"].number(), cotangent);
                for (const auto& [what, expected] : step["expected"].fields) {
                    auto value = expected["value"].numbers<double>(), error = expected["error"].numbers<double>();
                    const std::vector<float>& got = results.at(what);
                    bool right = got.size() == value.size();
                    for (size_t i = 0; right && i < value.size(); ++i, ++compared)
                        right = std::abs(got[i] - value[i]) <= error[i];  // false for NaN
                    if (!right) wrong[expected["requirement"].text].push_back(what + " of " + vector["name"].text);
                }
            }
        }
    for (const auto& [requirement, results] : wrong)
        std::cout << requirement << ": " << results.size() << " wrong, first " << results.front() << '\n';
    std::cout << compared << " numbers compared, " << wrong.size() << " requirements are violated\n";
    return compared == 0 || !wrong.empty();
}
