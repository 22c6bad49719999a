# The walkthrough's page: its texts by themselves, and the page in a browser. Debian's packages chromium, chromium-driver and python3-selenium;
# what is missing is a visible skip.
find_program(GLASSGPT_SYSTEM_PYTHON NAMES python3 PATHS /usr/bin NO_DEFAULT_PATH)
find_program(GLASSGPT_SYSTEM_PYTHON NAMES python3)
find_program(GLASSGPT_CHROMIUM NAMES chromium chromium-browser google-chrome)
find_program(GLASSGPT_CHROMEDRIVER NAMES chromedriver)

function(glassgpt_add_page_test name)
  if(GLASSGPT_SYSTEM_PYTHON AND NOT "${ARGN}" MATCHES "NOTFOUND")
    add_test(NAME ${name} COMMAND ${GLASSGPT_SYSTEM_PYTHON} ${ARGN})
  else()
    add_test(NAME ${name} COMMAND ${CMAKE_COMMAND} -E echo "Skipped: no Python 3, Chromium or chromedriver was found")
  endif()
  set_tests_properties(${name} PROPERTIES SKIP_REGULAR_EXPRESSION "^Skipped|\nSkipped" TIMEOUT 2400)
endfunction()

glassgpt_add_page_test(WalkthroughPage.TextsAreCompleteInBothLanguages ${CMAKE_CURRENT_LIST_DIR}/texts_test.py
  ${PROJECT_SOURCE_DIR}/src/walkthrough/page)
foreach(part Frame Numbers Playing Large)
  glassgpt_add_page_test(WalkthroughPage.${part} ${CMAKE_CURRENT_LIST_DIR}/page_test.py $<TARGET_FILE:glassgpt> ${GLASSGPT_CHROMIUM}
    ${GLASSGPT_CHROMEDRIVER} ${part})
endforeach()
glassgpt_add_page_test(Readme.BothLanguagesHaveTheSameCommands ${PROJECT_SOURCE_DIR}/scripts/update_readme.py --same)
