# The tokenizer's benchmarks: tokenizer/... in glassgpt_bench, and the program that times one file for peers/tokenizers.py.
target_sources(glassgpt_bench PRIVATE tokenizer_bench.cpp)
target_link_libraries(glassgpt_bench PRIVATE glassgpt_tokenizer)
target_compile_definitions(glassgpt_bench PRIVATE GLASSGPT_SOURCE_DIR="${PROJECT_SOURCE_DIR}")

add_executable(glassgpt_tokenizer_timing tokenizer_timing.cpp)
target_link_libraries(glassgpt_tokenizer_timing PRIVATE glassgpt_tokenizer glassgpt_options)
