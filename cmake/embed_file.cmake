file(READ ${INPUT} text)
file(WRITE ${OUTPUT}
  "namespace pgchronicle::embedded {\nextern const char* const ${VARIABLE};\nconst char* const ${VARIABLE} = R\"__sql__(${text})__sql__\";\n}\n")
