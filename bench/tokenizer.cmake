# The tokenizer's benchmarks: tokenizer/... in glassgpt_bench, and the program that times one file for peers/tokenizers.py.
add_executable(glassgpt_tokenizer_timing tokenizer_timing.cpp)
target_link_libraries(glassgpt_tokenizer_timing PRIVATE glassgpt_tokenizer glassgpt_options)
